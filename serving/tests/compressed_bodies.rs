//! Compressed request bodies are taken where the layer for them is, under the limit on what comes out.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

mod fixture;

use fixture::{GOOD_ANSWER, Running};

/// The body of `fixture::GOOD`, as Python's `gzip` writes it.
const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\x4a\x4b\x4d\x2c\x29\x2d\x4a\x35\x54\xb2\x32\xd5\x33\xd6\x81\x71\x8d\x94\xac\x8c\xf4\x0c\xe1\x5c\x63\x25\x2b\x03\x3d\x8b\x5a\x00\x5d\x12\x6a\x13\x2e\x00\x00\x00";

fn compressed(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST /predict HTTP/1.1\r\nhost: test\r\ncontent-encoding: {coding}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

#[tokio::test]
async fn without_the_layer_a_compressed_body_is_refused_before_it_is_read() {
    let replica = Running::with_limits(martello_serving::Limits::default()).await;
    let answer = replica.ask(compressed("gzip", GZIP)).await;
    assert_eq!((answer.status, answer.header("accept-encoding")), (415, Some("identity")));
    assert_eq!(answer.text(), r#"{"detail":"Compressed request bodies are not taken here"}"#);
    let answer = replica.ask(compressed("identity", fixture::GOOD.as_bytes())).await;
    assert_eq!((answer.status, answer.text()), (200, GOOD_ANSWER));
}

#[cfg(feature = "compression")]
mod with_the_layer {
    use fixture::{Client, Sum};
    use martello_serving::layers::decompress;
    use martello_serving::{Limits, Replica};

    use super::*;

    const DEFLATE: &[u8] = b"\x78\x9c\xab\x56\x4a\x4b\x4d\x2c\x29\x2d\x4a\x35\x54\xb2\x32\xd5\x33\xd6\x81\x71\x8d\x94\xac\x8c\xf4\x0c\xe1\x5c\x63\x25\x2b\x03\x3d\x8b\x5a\x00\x50\x44\x0d\xe2";

    /// 64 KiB of spaces.
    const LARGE: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x81\x00\x00\x00\x00\x80\x20\x95\xfd\x29\x17\xa9\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x6a\x94\x19\x2c\xb4\x00\x00\x01\x00";

    async fn ask(coding: &str, body: &[u8]) -> fixture::Answer {
        let limits = Limits { body_bytes: 10_000, ..Limits::default() };
        let builder = Replica::builder().model(Sum::of_three()).limits(limits).layer(decompress::layer());
        let replica = builder.listen("127.0.0.1:0").bind().await.unwrap();
        let address = replica.local_addr();
        let served = tokio::spawn(replica.serve(std::future::pending()));
        let mut client = Client::to(address).await;
        client.send(compressed(coding, body)).await;
        let answer = client.answer().await.unwrap();
        served.abort();
        answer
    }

    #[tokio::test]
    async fn a_compressed_body_is_read() {
        for (coding, body) in [("gzip", GZIP), ("deflate", DEFLATE)] {
            let answer = ask(coding, body).await;
            assert_eq!((answer.status, answer.text()), (200, GOOD_ANSWER), "{coding}");
        }
    }

    #[tokio::test]
    async fn what_comes_out_counts_against_the_limit() {
        assert_eq!(ask("gzip", LARGE).await.status, 413);
        assert_eq!(ask("gzip", b"no gzip").await.status, 400);
        assert_eq!(ask("br", GZIP).await.status, 415);
    }
}

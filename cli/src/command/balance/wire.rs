//! How HTTP is spoken with clients and replicas.

use std::time::Duration;

use clap::Args;
use martello_balancer::{BalancerBuilder, EndpointConfig, Limits, ServerConfig, Underscores, Upgrades, Via};

use super::limits::{seconds, set};

/// What is passed on, and how much of it.
#[derive(Debug, Args)]
#[command(next_help_heading = "HTTP")]
pub(super) struct WireArgs {
    /// What becomes of a request's fields whose names have an underscore, which some servers take for those with a
    /// hyphen: drop or pass.
    #[arg(long, env = "MARTELLO_UNDERSCORES", value_name = "WHAT", default_value_t = Underscores::default())]
    underscores: Underscores,
    /// Whether clients may ask replicas to go on in another protocol, such as WebSocket: off or on. What carries HTTP
    /// requests past this balancer (h2c, TLS) is never passed on.
    #[arg(long, env = "MARTELLO_UPGRADE", value_name = "WHETHER", default_value_t = Upgrades::default())]
    upgrade: Upgrades,
    /// Seconds that nothing may move in a connection that has gone on so.
    #[arg(long, env = "MARTELLO_TUNNEL_IDLE", value_name = "SECONDS", value_parser = seconds)]
    tunnel_idle: Option<Duration>,
    /// Name of this balancer in the Via of requests and answers; none leaves Via as it came.
    #[arg(long, env = "MARTELLO_VIA", value_name = "NAME")]
    via: Option<Via>,
    /// Proxies before this one, such as one that ends TLS, whose word on the client is taken; 0 where clients come directly.
    /// Unless told, what came passes on with the client's address behind it, for replicas to judge.
    #[arg(long, env = "MARTELLO_TRUSTED_HOPS", value_name = "COUNT")]
    trusted_hops: Option<u8>,
    /// Tell replicas who asked by Forwarded (RFC 7239), beside X-Forwarded-For.
    #[arg(long, env = "MARTELLO_FORWARDED")]
    forwarded: bool,
    /// The largest head of a request, in bytes.
    #[arg(long, env = "MARTELLO_MAX_HEAD", value_name = "BYTES")]
    max_head: Option<usize>,
    /// The longest request line, in bytes.
    #[arg(long, env = "MARTELLO_MAX_REQUEST_LINE", value_name = "BYTES")]
    max_request_line: Option<usize>,
    /// The most fields of a request, and trailers: 1 to 128.
    #[arg(long, env = "MARTELLO_MAX_FIELDS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=MOST_FIELDS))]
    max_fields: Option<u16>,
    /// The largest head of a replica's answer, in bytes.
    #[arg(long, env = "MARTELLO_MAX_ANSWER_HEAD", value_name = "BYTES")]
    max_answer_head: Option<usize>,
    /// The most fields of an answer: 1 to 128.
    #[arg(long, env = "MARTELLO_MAX_ANSWER_FIELDS", value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=MOST_FIELDS))]
    max_answer_fields: Option<u16>,
    /// The largest body of an answer, in bytes; without it, any.
    #[arg(long, env = "MARTELLO_MAX_ANSWER_BODY", value_name = "BYTES")]
    max_answer_body: Option<u64>,
    /// The largest body, in bytes, that is taken in whole before a replica is asked; larger ones stream.
    #[arg(long, env = "MARTELLO_HELD_REQUEST", value_name = "BYTES")]
    held_request: Option<usize>,
    /// The largest answer, in bytes, that is awaited whole before it is passed on; larger ones stream.
    #[arg(long, env = "MARTELLO_HELD_ANSWER", value_name = "BYTES")]
    held_answer: Option<usize>,
    /// Seconds that the body of a request may pause.
    #[arg(long, env = "MARTELLO_BODY_PAUSE", value_name = "SECONDS", value_parser = seconds)]
    body_pause: Option<Duration>,
    /// Seconds for which what a client still sends after its last answer is thrown away, so that the answer is not lost.
    #[arg(long, env = "MARTELLO_LINGER", value_name = "SECONDS", value_parser = seconds)]
    linger: Option<Duration>,
    /// Seconds after SIGTERM for which idle connections may still ask once more.
    #[arg(long, env = "MARTELLO_DRAIN_NOTICE", value_name = "SECONDS", value_parser = seconds)]
    drain_notice: Option<Duration>,
}

const MOST_FIELDS: i64 = Limits::MAX_FIELDS as i64;

impl WireArgs {
    pub(super) fn apply(&self, mut builder: BalancerBuilder) -> BalancerBuilder {
        if let Some(name) = self.via {
            builder = builder.via(name);
        }
        if let Some(count) = self.trusted_hops {
            builder = builder.trusted_hops(count);
        }
        if self.forwarded { builder.with_forwarded() } else { builder }
    }

    pub(super) fn endpoint(&self, config: &mut EndpointConfig) {
        set(&mut config.limits.head_bytes, self.max_answer_head);
        set(&mut config.limits.fields, self.max_answer_fields.map(usize::from));
        set(&mut config.limits.body_bytes, self.max_answer_body);
        set(&mut config.held_response, self.held_answer);
    }

    pub(super) fn server(&self, config: &mut ServerConfig) {
        config.underscores = self.underscores;
        config.upgrades = self.upgrade;
        set(&mut config.tunnel_idle, self.tunnel_idle);
        set(&mut config.limits.head_bytes, self.max_head);
        set(&mut config.limits.request_line_bytes, self.max_request_line);
        set(&mut config.limits.fields, self.max_fields.map(usize::from));
        set(&mut config.held_request, self.held_request);
        set(&mut config.body_pause, self.body_pause);
        set(&mut config.linger, self.linger);
        set(&mut config.drain_notice, self.drain_notice);
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Told {
        #[command(flatten)]
        wire: WireArgs,
    }

    fn told(flags: &str) -> (EndpointConfig, ServerConfig) {
        let told = Told::try_parse_from(flags.split_whitespace()).map_err(|error| error.to_string()).unwrap();
        let (mut endpoint, mut server) = (EndpointConfig::default(), ServerConfig::default());
        told.wire.endpoint(&mut endpoint);
        told.wire.server(&mut server);
        (endpoint, server)
    }

    #[test]
    fn what_nobody_says_stays_as_the_library_has_it() {
        let (endpoint, server) = told("balance");
        let (default_endpoint, default_server) = (EndpointConfig::default(), ServerConfig::default());
        assert_eq!(format!("{endpoint:?}"), format!("{default_endpoint:?}"));
        assert_eq!(format!("{server:?}"), format!("{default_server:?}"));
    }

    #[test]
    fn every_flag_sets_what_it_names() {
        let (endpoint, server) = told(
            "balance --underscores pass --upgrade on --tunnel-idle 1 --max-head 2 --max-request-line 3 \
             --max-fields 4 --max-answer-head 5 --max-answer-fields 6 --max-answer-body 7 --held-request 8 \
             --held-answer 9 --body-pause 10 --linger 11 --drain-notice 12",
        );
        assert_eq!((server.underscores, server.upgrades), (Underscores::Pass, Upgrades::On));
        let limits = server.limits;
        assert_eq!((limits.head_bytes, limits.request_line_bytes, limits.fields), (2, 3, 4));
        let limits = endpoint.limits;
        assert_eq!((limits.head_bytes, limits.fields, limits.body_bytes), (5, 6, 7));
        assert_eq!((server.held_request, endpoint.held_response), (8, 9));
        let times = [server.tunnel_idle, server.body_pause, server.linger, server.drain_notice];
        assert_eq!(times.map(|time| time.as_secs()), [1, 10, 11, 12]);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for wrong in
            ["--upgrade maybe", "--max-fields 0", "--max-fields 129", "--via a,b", "--tunnel-idle soon"]
        {
            assert!(
                Told::try_parse_from(["balance"].into_iter().chain(wrong.split(' '))).is_err(),
                "{wrong}"
            );
        }
    }
}

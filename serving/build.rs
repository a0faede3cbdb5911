//! Takes the two files of Swagger UI that a page needs out of the archive that its crate carries, as they are in it: compressed.
//!
//! A gzip file (RFC 1952) is a head, the deflate stream and two numbers that the archive (APPNOTE 6.3.10) knows already, so
//! nothing is unpacked here, and what the binary carries is what it sends to a browser.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "docs")]
    swagger_ui::extract(utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED);
}

#[cfg(feature = "docs")]
mod swagger_ui {
    use std::path::Path;

    const FILES: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

    pub(super) fn extract(archive: &[u8]) {
        let folder = std::env::var_os("OUT_DIR").expect("cargo names a folder");
        for file in FILES {
            let packed = gzip(archive, &format!("/dist/{file}")).expect("the archive has the file, deflated");
            let path = Path::new(&folder).join(format!("{file}.gz"));
            std::fs::write(path, packed).expect("cargo's folder can be written to");
        }
    }

    /// Returns the first file whose path ends so, as a gzip file.
    fn gzip(archive: &[u8], path: &str) -> Option<Vec<u8>> {
        let end = archive.windows(4).rposition(|window| window == b"PK\x05\x06")?;
        let mut at = u32_at(archive, end + 16)? as usize;
        while archive.get(at..at + 4)? == b"PK\x01\x02" {
            let name_length = u16_at(archive, at + 28)?;
            let name = archive.get(at + 46..at + 46 + name_length)?;
            if name.ends_with(path.as_bytes()) {
                // 8 is deflate.
                return (u16_at(archive, at + 10)? == 8).then(|| member(archive, at))?;
            }
            at += 46 + name_length + u16_at(archive, at + 30)? + u16_at(archive, at + 32)?;
        }
        None
    }

    fn member(archive: &[u8], entry: usize) -> Option<Vec<u8>> {
        let (checksum, length) = (archive.get(entry + 16..entry + 20)?, archive.get(entry + 24..entry + 28)?);
        let packed = u32_at(archive, entry + 20)? as usize;
        let local = u32_at(archive, entry + 42)? as usize;
        let data = local + 30 + u16_at(archive, local + 26)? + u16_at(archive, local + 28)?;
        let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
        Some([&head, archive.get(data..data + packed)?, checksum, length].concat())
    }

    fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
        Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?).into())
    }

    fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
    }
}

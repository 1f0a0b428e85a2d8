//! One HTTP/1.1 connection that is kept: a request goes out in one write, its answer is read to
//! the end, and nothing else is done, so that the load costs this machine little.
//!
//! Not here: who sends what and how often ([`super::durable`]).

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest answer read, in bytes: those of the ingress are a few hundred.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// A kept connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    host: String,
    out: Vec<u8>,
    answer: Vec<u8>,
}

impl Connection {
    /// Connects to `host:port`.
    pub async fn open(host: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host: host.to_owned(), out: Vec::new(), answer: Vec::new() })
    }

    /// Posts a body with one more header; answers the status.
    pub async fn post(&mut self, path: &str, header: (&str, &str), body: &[u8]) -> io::Result<u16> {
        self.out.clear();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
             {}: {}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            header.0,
            header.1,
            body.len(),
        );
        self.out.extend_from_slice(head.as_bytes());
        self.out.extend_from_slice(body);
        self.stream.write_all(&self.out).await?;
        self.read_answer().await
    }

    async fn read_answer(&mut self) -> io::Result<u16> {
        self.answer.clear();
        loop {
            if let Some((status, length)) = read_head(&self.answer)?
                && self.answer.len() >= length
            {
                return Ok(status);
            }
            if self.answer.len() > ANSWER_BYTES_MAX {
                return Err(unreadable("the answer does not end"));
            }
            if self.stream.read_buf(&mut self.answer).await? == 0 {
                return Err(unreadable("the connection was closed instead of an answer"));
            }
        }
    }
}

/// Status, and length of head and body together; `None` while the head is not all there.
fn read_head(answer: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head =
        std::str::from_utf8(&answer[..end]).map_err(|_| unreadable("the head is no text"))?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    match (status, length) {
        (Some(status), Some(length)) => Ok(Some((status, end + 4 + length))),
        _ => Err(unreadable("the head has no status or no length")),
    }
}

fn unreadable(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let answer = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nx: y\r\n\r\n{}";
        assert_eq!(read_head(answer).unwrap(), Some((503, answer.len())));
        assert_eq!(read_head(&answer[..30]).unwrap(), None);
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err(), "it has no length");
        assert!(read_head(b"nonsense\r\ncontent-length: 2\r\n\r\n").is_err());
    }
}

//! What a connection begins with: a client that knows that the server speaks HTTP/2 says so at once, without TLS to agree on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use crate::transport::http::listen::AnyStream;

/// What HTTP/2 begins with (RFC 9113, section 3.4). No request of HTTP/1 does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Reads as much of a stream as it takes to tell, and gives the stream as it was, and whether it is HTTP/2.
pub(crate) async fn heard(mut stream: AnyStream) -> io::Result<(Heard, bool)> {
    let mut head = Vec::with_capacity(PREFACE.len());
    let is_http_2 = loop {
        let room = (PREFACE.len() - head.len()) as u64;
        if (&mut stream).take(room).read_buf(&mut head).await? == 0 || !PREFACE.starts_with(&head) {
            break false;
        }
        if head.len() == PREFACE.len() {
            break true;
        }
    };
    Ok((Heard { head, given: 0, stream }, is_http_2))
}

/// A stream whose first bytes have been looked at.
pub(crate) struct Heard {
    head: Vec<u8>,
    /// So many of them have been read again.
    given: usize,
    stream: AnyStream,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let rest = this.head.get(this.given..).unwrap_or_default();
        if rest.is_empty() {
            return Pin::new(&mut this.stream).poll_read(context, buffer);
        }
        let length = rest.len().min(buffer.remaining());
        buffer.put_slice(rest.get(..length).unwrap_or_default());
        this.given += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::{PREFACE, heard};

    #[tokio::test]
    async fn nothing_of_what_was_looked_at_is_lost() {
        let long = [PREFACE, b"and more"].concat();
        for (sent, expected) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], false),
            (b"POST /mcp HTTP/1.1\r\n\r\n", false),
            (b"PRI * HTTP/1.1\r\n\r\nSM\r\n\r\n", false),
            (b"PRI", false),
            (b"", false),
            (PREFACE, true),
            (&long, true),
        ] {
            let (mut client, server) = tokio::io::duplex(64);
            // Byte by byte, as a slow client sends.
            let sending = async {
                for byte in sent {
                    client.write_all(&[*byte]).await.expect("sent");
                }
                drop(client);
            };
            let reading = async {
                let (mut stream, is_http_2) = heard(Box::new(server)).await.expect("read");
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.expect("read");
                (is_http_2, all)
            };
            let (_, found) = tokio::join!(sending, reading);
            assert_eq!(found, (expected, sent.to_vec()));
        }
    }
}

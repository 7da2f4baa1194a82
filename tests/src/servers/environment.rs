//! The first way: a server that somebody else keeps.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::{Kind, Server};

pub(super) enum Missing {
    Unset,
    Silent(String),
}

pub(super) fn find(kind: &Kind) -> Result<Server, Missing> {
    let url = match std::env::var(kind.variable) {
        Ok(url) if !url.is_empty() => url,
        _ => return Err(Missing::Unset),
    };
    // A URL without a port is the database's own matter (a socket, a region): the test will see.
    match address(&url).map(|address| answers(&address)) {
        Some(Err(error)) => Err(Missing::Silent(format!(
            "it is {url}, where nothing answers: {error}"
        ))),
        _ => Ok(Server::of_others(url)),
    }
}

fn answers(address: &str) -> std::io::Result<()> {
    let mut last = std::io::Error::other("the name has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, Duration::from_secs(10)) {
            Ok(_) => return Ok(()),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// `host:port` of a URL that has both.
pub(super) fn address(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let address = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|_| !host.is_empty())?;
    Some(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        let cases = [
            (
                "postgres://postgres@127.0.0.1:5432/postgres",
                Some("127.0.0.1:5432"),
            ),
            ("postgres://a:secret@db:5432?x=1", Some("db:5432")),
            (
                "dynamodb://[::1]:8000/?region=us-east-1",
                Some("[::1]:8000"),
            ),
            ("dynamodb://eu-central-1", None),
            ("postgres:///test?host=/run/postgresql", None),
            ("postgres://a:secret@db/test", None),
        ];
        for (url, expected) in cases {
            assert_eq!(address(url).as_deref(), expected, "{url}");
        }
    }
}

"""The address of the Redis server as Celery has it."""

from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit


def broker_url(url: str) -> str:
    """Return the address of the broker that is the server at `url`.

    Celery has another word for a socket in the file system. And it verifies no certificate of a ``rediss://`` server
    unless it is told to, which the job store's own client does by itself.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        login = parts.netloc.rpartition("@")[0]
        query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
        path = quote(unquote(parts.path))
        return f"redis+socket://{login}{'@' if login else ''}{path}?virtual_host={query.get('db', '0')}"
    if parts.scheme == "rediss":
        strict = urlencode({"ssl_cert_reqs": "required", "ssl_check_hostname": "true"})
        return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, strict)))))  # the last word counts
    return url

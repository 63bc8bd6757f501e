"""Writes the digests of the images in deploy/ beside their tags, as their registries give them.

    .venv/bin/python requirements/images.py           # image:tag becomes image:tag@sha256:...
    .venv/bin/python requirements/images.py --check   # warns of tags without a digest

A tag may name another image tomorrow, a digest may not. Registries are asked without a login, by the HTTP API of the
OCI distribution specification. Ends with 1 if a registry was not reached or does not have an image; that image stays as
it is. `--check` asks nobody and ends with 0.
"""

from __future__ import annotations

import argparse
import dataclasses
import email.message
import hashlib
import http.client
import json
import os
import pathlib
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
DEPLOY = "deploy"
OWN_HOST = "registry.example.com"
"""The placeholder for the reader's own registry; its images have no digest yet."""

_SECONDS = 20
# A list of manifests has a few kB.
_MAX_BYTES = 4_000_000
# The list of all platforms comes first: the digest of one platform's manifest would not run on another.
_ACCEPT = ", ".join(
    [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE_LINES = {
    ".yaml": re.compile(r"(?m)^\s*(?:- )?image:\s*(?P<image>[^\s#]+)"),
    "": re.compile(r"(?m)^(?:ARG BASE=|FROM )(?P<image>[^\s$]+)"),
}
_IMAGE = re.compile(
    r"(?:(?P<host>localhost(?::\d+)?|[a-z0-9-]+(?:\.[a-z0-9-]+)+(?::\d+)?|[a-z0-9-]+:\d+)/)?"
    r"(?P<name>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*):(?P<tag>\w[\w.-]*)(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_HUB = "registry-1.docker.io"


class RegistryError(Exception):
    """A registry was not reached, or does not give the digest; the message names the reason."""


@dataclasses.dataclass(frozen=True)
class Image:
    """An image with a tag, as a file names it.

    Attributes:
      host: The registry, as in the file; empty for Docker Hub.
      name: Name within the registry.
      tag: The tag.
      digest: The digest, if the file has one.
    """

    host: str
    name: str
    tag: str
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> Image | None:
        """Returns the image of `host/name:tag@digest`; None for an image without a tag."""
        match = _IMAGE.fullmatch(text)
        if match is None:
            return None
        return cls(match["host"] or "", match["name"], match["tag"], match["digest"])

    def __str__(self) -> str:
        name = f"{self.host}/{self.name}" if self.host else self.name
        return f"{name}:{self.tag}" + (f"@{self.digest}" if self.digest else "")

    @property
    def base_url(self) -> str:
        """Address of the image in its registry's API. As for Docker, a registry on localhost has no TLS."""
        if not self.host or self.host == "docker.io":
            # Docker Hub's own images have names such as library/python.
            return f"https://{_HUB}/v2/{self.name if '/' in self.name else f'library/{self.name}'}"
        return f"{'http' if _is_local(self.host) else 'https'}://{self.host}/v2/{self.name}"


@dataclasses.dataclass(frozen=True)
class Place:
    """An image in a file.

    Attributes:
      path: The file.
      start: Position of the image in the file's text, in characters.
      line: Line number, from 1.
      text: The image as written.
    """

    path: pathlib.Path
    start: int
    line: int
    text: str


def find(root: pathlib.Path) -> list[Place]:
    """Returns the images of all manifests and Dockerfiles in `root`/deploy, without those of the reader's registry."""
    places = []
    for path in sorted((root / DEPLOY).iterdir()):
        pattern = _IMAGE_LINES.get(path.suffix)
        if pattern is None:
            continue
        text = path.read_text(encoding="utf-8")
        for match in pattern.finditer(text):
            if not match["image"].startswith(f"{OWN_HOST}/"):
                start = match.start("image")
                places.append(Place(path, start, text.count("\n", 0, start) + 1, match["image"]))
    return places


def warnings(root: pathlib.Path) -> list[str]:
    """Returns one line per image without a digest."""
    return [
        f"Warning: {place.path.relative_to(root)}:{place.line}: {place.text} has no digest; `make pin-images` writes it"
        for place in find(root)
        if "@sha256:" not in place.text
    ]


def digest(image: Image) -> str:
    """Returns the digest of an image's tag, of all its platforms together.

    Raises:
      RegistryError: The registry was not reached, or does not give the digest.
    """
    url = f"{image.base_url}/manifests/{image.tag}"
    headers = {"Accept": _ACCEPT}
    try:
        answer = _ask(url, "HEAD", headers)
        if answer.status == http.HTTPStatus.UNAUTHORIZED:
            headers["Authorization"] = f"Bearer {_token(answer.headers.get('WWW-Authenticate', ''))}"
            answer = _ask(url, "HEAD", headers)
        if answer.status == http.HTTPStatus.OK and "Docker-Content-Digest" not in answer.headers:
            # The specification does not require the header; a digest is that of the manifest's bytes.
            answer = _ask(url, "GET", headers)
            answer.headers["Docker-Content-Digest"] = f"sha256:{hashlib.sha256(answer.body).hexdigest()}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise RegistryError(f"not reached ({' '.join(str(reason).split()) or type(error).__name__})") from None
    if answer.status != http.HTTPStatus.OK:
        raise RegistryError(f"answered {answer.status}")
    found = answer.headers["Docker-Content-Digest"]
    if not _DIGEST.fullmatch(found):
        raise RegistryError(f"expected a SHA-256 digest, got {found[:80]!r}")
    return found


def pin(root: pathlib.Path) -> Iterator[str]:
    """Writes the digests; yields a line per image, those that have no digest with "Error:".

    Every registry is asked before the first file is written.
    """
    pinned: dict[str, str] = {}
    places = find(root)
    for text in dict.fromkeys(place.text for place in places):
        image = Image.parse(text)
        if image is None:
            yield f"Error: {text}: expected an image with a tag; add the tag of its version"
            continue
        try:
            new = str(dataclasses.replace(image, digest=digest(image)))
        except RegistryError as error:
            yield f"Error: {text}: {error}; it stays as it is"
        else:
            pinned[text] = new
            yield f"{new}{'' if new != text else ' (unchanged)'}"
    for path in dict.fromkeys(place.path for place in places):
        content = path.read_text(encoding="utf-8")
        here = [place for place in places if place.path == path and place.text in pinned]
        for place in reversed(here):
            content = content[: place.start] + pinned[place.text] + content[place.start + len(place.text) :]
        part = path.with_name(f".{path.name}.part")
        part.write_text(content, encoding="utf-8")
        os.replace(part, path)


@dataclasses.dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def _ask(url: str, method: str, headers: dict[str, str]) -> _Answer:
    """Returns the answer to a request, whatever its status."""
    # S310: https, or http on this machine.
    request = urllib.request.Request(url, headers=headers, method=method)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as response:  # noqa: S310
            body = response.read(_MAX_BYTES + 1)
            if len(body) > _MAX_BYTES:
                raise ValueError(f"sends more than {_MAX_BYTES / 1e6:g} MB")
            return _Answer(response.status, _titled(response.headers), body)
    except urllib.error.HTTPError as error:
        with error:
            return _Answer(error.code, _titled(error.headers), b"")


def _titled(headers: email.message.Message) -> dict[str, str]:
    wanted = ("WWW-Authenticate", "Docker-Content-Digest")
    return {name: headers[name] for name in wanted if name in headers}


def _token(challenge: str) -> str:
    """Returns an anonymous token from the service that a registry names.

    Raises:
      ValueError: The registry wants another kind of login.
    """
    values = dict(_CHALLENGE.findall(challenge))
    realm = urllib.parse.urlsplit(values.get("realm", ""))
    is_safe = realm.scheme == "https" or (realm.scheme == "http" and _is_local(realm.netloc))
    if not challenge.lower().startswith("bearer ") or not is_safe:
        raise ValueError("it wants a login that this command does not have")
    query = urllib.parse.urlencode({name: values[name] for name in ("service", "scope") if name in values})
    answer = _ask(f"{values['realm']}?{query}", "GET", {})
    content = json.loads(answer.body or b"{}")
    token = content.get("token") or content.get("access_token") if isinstance(content, dict) else None
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ValueError(f"its token service answered {answer.status} without a token")
    return token


def _is_local(netloc: str) -> bool:
    return netloc.partition(":")[0] in ("localhost", "127.0.0.1")


def main(arguments: list[str]) -> int:
    """Runs the command and returns its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only warn of tags without a digest")
    parser.add_argument("--root", type=pathlib.Path, default=ROOT, help="folder that has deploy/")
    options = parser.parse_args(arguments)
    if options.check:
        for line in warnings(options.root):
            print(line)
        return 0
    failed = False
    for line in pin(options.root):
        print(line, flush=True)
        failed = failed or line.startswith("Error:")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

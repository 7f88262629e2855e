"""Keys and certificates of one control plane, made once and kept with its data.

One CA signs etcd and the API server; a second one only the front proxy, because whoever holds a certificate of that CA
may name any user to the API server; a third one the webhooks of the controllers. They serve 127.0.0.1 only.
"""

import datetime
import ipaddress
import os
import shutil
from pathlib import Path
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# kubeadm gives its CAs ten years (kubeadm constants, CertificateAuthorityPeriod). The leaf certificates live as long:
# an environment that is left alone for a year should still start.
_LIFETIME = datetime.timedelta(days=3650)
# A clock that was set back a little must not make a new certificate invalid.
_SKEW = datetime.timedelta(hours=1)

_SERVED_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)


def ensure_certificates(folder: Path) -> None:
    """Make everything a control plane needs in `folder`, unless it is there.

    The folder appears whole or not at all. Files, each with `.crt` and `.key`: the authorities `ca`, `front-proxy-ca`
    and `webhook-ca`; `server`, for etcd and the API server, also as etcd's client; `front-proxy`, a client. And
    `service-account.key`.
    """
    if folder.is_dir():
        return
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True, mode=0o700)
    authority = _authority(part, "ca")
    _leaf(part, "server", authority, servers=True, clients=True)
    _leaf(part, "front-proxy", _authority(part, "front-proxy-ca"), servers=False, clients=True)
    _authority(part, "webhook-ca")
    _write(part / "service-account.key", _pem(ec.generate_private_key(ec.SECP256R1())))
    part.replace(folder)


def ensure_webhook_certificate(authorities: Path, folder: Path) -> None:
    """`tls.crt` and `tls.key` in `folder`, signed by the webhook authority, unless both are there.

    Args:
        authorities: the folder of `ensure_certificates`.
        folder: exists.
    """
    if (folder / "tls.key").exists():  # written last
        return
    key = serialization.load_pem_private_key((authorities / "webhook-ca.key").read_bytes(), password=None)
    certificate = x509.load_pem_x509_certificate((authorities / "webhook-ca.crt").read_bytes())
    authority = (certificate, cast(ec.EllipticCurvePrivateKey, key))  # written by `_authority`
    _leaf(folder, "tls", authority, servers=True, clients=False)


_Authority = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _authority(folder: Path, name: str) -> _Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(f"gpu-platform-{name}")
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_pair(folder, name, certificate, key)
    return certificate, key


def _leaf(folder: Path, name: str, authority: _Authority, *, servers: bool, clients: bool) -> None:
    certificate, authority_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.SERVER_AUTH] if servers else []
    usages += [ExtendedKeyUsageOID.CLIENT_AUTH] if clients else []
    builder = (
        _builder(_name(name), certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    )
    if servers:
        names: list[x509.GeneralName] = [x509.DNSName(served) for served in _SERVED_NAMES]
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write_pair(folder, name, builder.sign(authority_key, hashes.SHA256()), key)


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + _LIFETIME)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write_pair(folder: Path, name: str, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
    _write(folder / f"{name}.key", _pem(key))


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """In SEC 1 form: Kubernetes 1.36 does not find a service account's key in a PKCS 8 file."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)

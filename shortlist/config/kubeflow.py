"""The section `kubeflow`: addresses of the cluster, and the resources of each task."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pydantic

from shortlist import secrets
from shortlist.config.paths import PATTERN_CHARACTERS
from shortlist.config.secrets import without_credentials
from shortlist.config.section import Line, Section, Whole
from shortlist.quoting import short_repr

ROOT_SCHEMES = ("gs", "s3", "minio")
"""Schemes that KFP's launcher can copy to and from. It also accepts oci, but only for models to read."""

# Kubernetes also allows exponents such as 1e3, which are not supported here.
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGTP]i?)?")
_FACTORS: dict[str | None, float] = {
    None: 1.0,
    "m": 1e-3,
    **{unit: 1000.0 ** (power + 1) for power, unit in enumerate("kMGTP")},
    **{f"{unit}i": 1024.0 ** (power + 1) for power, unit in enumerate("kMGTP")},
}
# Kubernetes rounds up to thousandths, and counts in 64 bits.
_MIN_QUANTITY, _MAX_QUANTITY = 1e-3, 2.0**63
# RFC 1123, for names of namespaces, claims and secrets.
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A label's key has an optional DNS prefix of up to 253 characters; name and value have up to 63.
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_SECRET_KEY = re.compile(r"[-._A-Za-z0-9]+")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")
_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)


def quantity(text: str) -> float:
    """Returns a Kubernetes quantity as a number: `500m` is 0.5, `2Gi` is 2,147,483,648.

    Raises:
      ValueError: The text is not a quantity, or it is zero or outside of the range of Kubernetes.
    """
    match = _QUANTITY.fullmatch(text)
    number = 0.0
    if match:
        number = float(match[1]) * _FACTORS[match[2]]
    if not _MIN_QUANTITY <= number < _MAX_QUANTITY:
        raise ValueError(f"expected a Kubernetes quantity such as 500m, 4, 8Gi or 512M, got {short_repr(text)}")
    return number


def _matching(pattern: re.Pattern[str], expected: str, max_length: int = 253) -> pydantic.AfterValidator:
    def check(text: str) -> str:
        if len(text) > max_length or not pattern.fullmatch(text):
            raise ValueError(f"expected {expected}, got {short_repr(text)}")
        return text

    return pydantic.AfterValidator(check)


def _check_mount_path(path: str) -> str:
    if not path.startswith("/") or path.rstrip("/") == "" or ".." in path.split("/"):
        raise ValueError(f"expected an absolute path below /, as seen by the pods, got {short_repr(path)}")
    return path.rstrip("/")


def _number_as_text(value: object) -> object:
    # YAML reads `cpu: 2` as a number.
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value


def _check_quantity(text: str) -> str:
    quantity(text)
    return text


DnsName = Annotated[str, _matching(_DNS_NAME, "a Kubernetes name of a-z, 0-9, dots and dashes")]
EnvName = Annotated[str, _matching(_ENV_NAME, "an environment variable's name")]
MountPath = Annotated[Line, pydantic.AfterValidator(_check_mount_path)]
Quantity = Annotated[str, pydantic.BeforeValidator(_number_as_text), pydantic.AfterValidator(_check_quantity)]
LabelKey = Annotated[str, _matching(_LABEL_KEY, "a Kubernetes label's key", 317)]
LabelValue = Annotated[str, _matching(_LABEL_VALUE, "a Kubernetes label's value", 63)]


class Accelerator(Section):
    """GPUs or other devices of a task."""

    type: Annotated[str, _matching(_LABEL_KEY, "a resource name such as nvidia.com/gpu", 317)] = "nvidia.com/gpu"
    """Resource name of the cluster's device plugin. Vertex has other names, such as NVIDIA_TESLA_T4."""

    count: Whole = pydantic.Field(1, ge=1, le=1_000)
    """Number of devices."""


class SecretKey(Section):
    """One key of a Kubernetes secret."""

    secret: DnsName
    """Name of the secret in the run's namespace."""

    key: Annotated[str, _matching(_SECRET_KEY, "a key of a-z, A-Z, 0-9, dots, dashes and underscores")]
    """Key in the secret."""


class Volume(Section):
    """A persistent volume claim that is mounted in all tasks."""

    claim: DnsName
    """Name of the claim in the run's namespace."""

    path: MountPath
    """Mount path in the pods."""


class Task(Section):
    """Resources and environment of one task. `kubeflow.defaults` fills in the absent keys."""

    cpu: Quantity | None = None
    """Request and limit of CPU cores: `2`, `500m`."""

    memory: Quantity | None = None
    """Request and limit of memory: `8Gi`."""

    accelerator: Accelerator | None = None
    """GPUs or other devices."""

    retries: Whole | None = pydantic.Field(None, ge=0, le=10)
    """Maximum number of retries of a failed container. Its driver and evicted pods are not retried. Needs KFP 2.5."""

    retry_wait_seconds: Whole | None = pydantic.Field(None, ge=0, le=3_600)
    """Wait before the first retry. It doubles with each further retry, up to an hour."""

    timeout_minutes: Whole | None = pydantic.Field(None, ge=1, le=525_600)
    """Time limit of the pod; each retry has its own. Needs KFP 2.2."""

    env: dict[EnvName, str] = {}
    """Environment variables. They are part of the spec, which everybody can read, so put secrets into `secret_env`."""

    secret_env: dict[EnvName, SecretKey] = {}
    """Environment variables whose values are keys of Kubernetes secrets."""

    node_selector: dict[LabelKey, LabelValue] = {}
    """Labels of the nodes that may run the task."""

    @pydantic.field_validator("env")
    @classmethod
    def _refuse_secrets(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if _SECRET_NAME.search(name) or secrets.secrets_in(value):
                raise ValueError(
                    f"{name} looks like a secret, and everybody can read the spec; create a Kubernetes secret and "
                    "name it in secret_env"
                )
        return env

    def over(self, defaults: Task) -> Task:
        """Returns this task with its absent keys filled in from `defaults`; dicts are merged."""
        own = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("env", "secret_env", "node_selector"):
            own[name] = {**getattr(defaults, name), **getattr(self, name)}
        return defaults.model_copy(update=own)


class Kubeflow(Section):
    """Kubeflow Pipelines v2, for `shortlist compile`, `submit` and `run --orchestrator kubeflow-local`."""

    image: str
    """Container image with this package and the locked dependencies, built from deploy/Dockerfile. A digest is better
    than a tag."""

    pipeline_root: Line | None = None
    """Folder for artifacts: gs://, s3:// or minio://. By default, the root in the cluster's ConfigMap kfp-launcher."""

    data_root: Line | None = None
    """Start of the tables' relative paths, as seen by the pods: a URI, or a path on a mounted volume."""

    serving_dir: MountPath | None = None
    """Folder for pushed models, as seen by the pods. It must be on a mounted volume, because object stores cannot
    rename a folder in one step."""

    volumes: tuple[Volume, ...] = ()
    """Persistent volume claims, mounted in all tasks."""

    storage: Literal["copied", "direct"] = "copied"
    """`copied`: KFP's launcher copies artifacts between the pipeline root and the pod, and Beam runs in the pod.
    `direct`: TFX reads and writes gs:// itself, as Dataflow needs; only with a root in gs://."""

    host: Line | None = None
    """Address of the Kubeflow Pipelines API. By default, KF_PIPELINES_ENDPOINT or kfp's own configuration."""

    namespace: Annotated[str, _matching(_DNS_LABEL, "a Kubernetes namespace", 63)] | None = None
    """Namespace of the runs, for a multi-user Kubeflow."""

    metadata: Annotated[str, _matching(_ADDRESS, "host:port, without http://")] | None = None
    """Address of the cluster's ML Metadata (gRPC), such as `localhost:8080` after a port-forward. `submit` needs it to
    find the latest blessed model, and `submit --wait` to report the push."""

    experiment: Line = "Default"
    """Experiment of the runs."""

    service_account: DnsName | None = None
    """Kubernetes service account of the pods; KFP's own by default."""

    image_pull_secret: DnsName | None = None
    """Kubernetes secret for pulling the image."""

    cache: bool = True
    """Use the cache for tasks with unchanged inputs."""

    defaults: Task = Task()
    """Resources and environment of all tasks."""

    tasks: dict[str, Task] = {}
    """Resources and environment of single tasks, by node id: `Trainer: {memory: 16Gi}`."""

    @pydantic.field_validator("image")
    @classmethod
    def _check_image(cls, image: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", image):
            raise ValueError(f"expected an image such as registry.example.com/shortlist:1, got {short_repr(image)}")
        return image

    @pydantic.field_validator("pipeline_root", "data_root", "host")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        if address is None:
            return None
        return without_credentials(address)

    @pydantic.field_validator("pipeline_root")
    @classmethod
    def _check_pipeline_root(cls, root: str | None) -> str | None:
        scheme, _, rest = (root or "").partition("://")
        if root is not None and (scheme not in ROOT_SCHEMES or not rest.strip("/")):
            schemes = ", ".join(f"{scheme}://" for scheme in ROOT_SCHEMES)
            raise ValueError(f"expected a bucket that KFP's launcher can open ({schemes}), got {short_repr(root)}")
        if root is not None and any(character in root for character in PATTERN_CHARACTERS):
            raise ValueError(
                f"expected a path that TFX cannot take for a pattern, without * ? [ \\, got {short_repr(root)}"
            )
        return root

    @pydantic.field_validator("data_root")
    @classmethod
    def _check_data_root(cls, root: str | None) -> str | None:
        if root is None or "://" in root:
            return root
        return _check_mount_path(root)

    @pydantic.model_validator(mode="after")
    def _check_storage(self) -> Kubeflow:
        if self.storage == "direct" and not (self.pipeline_root or "").startswith("gs://"):
            raise ValueError(
                "storage: direct needs a pipeline_root in gs://, which TFX can open, "
                f"got {short_repr(self.pipeline_root)}"
            )
        return self

"""What a config may say of Kubeflow Pipelines: where it is, and what each task asks of the cluster."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import pydantic

from shortlist.config import secrets
from shortlist.config.secrets import without_credentials
from shortlist.config.section import Section

ROOT_SCHEMES = ("gs", "s3", "minio")
"""What KFP's launcher can copy to and from; it takes oci too, which only holds models that are read."""

_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|[kMGTP]i?)?")
_FACTORS: dict[str | None, float] = {
    None: 1.0,
    "m": 1e-3,
    **{unit: 1000.0 ** (power + 1) for power, unit in enumerate("kMGTP")},
    **{f"{unit}i": 1024.0 ** (power + 1) for power, unit in enumerate("kMGTP")},
}
# RFC 1123: names of namespaces, claims, secrets.
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL_KEY = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_ADDRESS = re.compile(r"[A-Za-z0-9.-]+:[0-9]{1,5}")
_SECRET_NAME = re.compile(r"password|passwd|secret|token|credential|api_?key|access_?key|private_?key", re.IGNORECASE)


def quantity(text: str) -> float:
    """Returns a Kubernetes quantity as a number: `500m` is 0.5, `2Gi` is 2,147,483,648.

    Raises:
      ValueError: It is none, or nothing.
    """
    match = _QUANTITY.fullmatch(text)
    number = float(match[1]) * _FACTORS[match[2]] if match else 0.0
    if number <= 0.0:
        raise ValueError(f"expected a Kubernetes quantity such as 500m, 4, 8Gi or 512M, got {text!r}")
    return number


def _matching(pattern: re.Pattern[str], what: str, longest: int = 253) -> pydantic.AfterValidator:
    def check(text: str) -> str:
        if len(text) > longest or not pattern.fullmatch(text):
            raise ValueError(f"expected {what}, got {text!r}")
        return text

    return pydantic.AfterValidator(check)


def _mount_path(path: str) -> str:
    if not path.startswith("/") or path.rstrip("/") == "" or ".." in path.split("/"):
        raise ValueError(f"expected an absolute path below /, as the pods see it, got {path!r}")
    return path.rstrip("/")


def _number(value: object) -> object:
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def _quantity_text(text: str) -> str:
    quantity(text)
    return text


DnsName = Annotated[str, _matching(_DNS_NAME, "a Kubernetes name of a-z, 0-9, dots and dashes")]
EnvName = Annotated[str, _matching(_ENV_NAME, "an environment variable's name")]
MountPath = Annotated[str, pydantic.AfterValidator(_mount_path)]
Quantity = Annotated[str, pydantic.BeforeValidator(_number), pydantic.AfterValidator(_quantity_text)]
LabelKey = Annotated[str, _matching(_LABEL_KEY, "a Kubernetes label's key", 317)]
LabelValue = Annotated[str, _matching(_LABEL_VALUE, "a Kubernetes label's value", 63)]


class Accelerator(Section):
    """GPUs or the like, as the cluster's device plugin calls them."""

    type: Annotated[str, _matching(_LABEL_KEY, "a resource name such as nvidia.com/gpu", 317)] = "nvidia.com/gpu"
    """Resource name; Vertex has others (NVIDIA_TESLA_T4)."""

    count: int = pydantic.Field(1, ge=1)
    """How many of them."""


class SecretKey(Section):
    """One key of a Kubernetes secret."""

    secret: DnsName
    """Name of the secret in the run's namespace."""

    key: str
    """Key in it."""


class Volume(Section):
    """A persistent volume claim that all tasks see."""

    claim: DnsName
    """Name of the claim in the run's namespace."""

    path: MountPath
    """Where it is mounted."""


class Task(Section):
    """What one task asks of the cluster. What is not said here is as in `kubeflow.defaults`."""

    cpu: Quantity | None = None
    """Cores, asked for and not exceeded: `2`, `500m`."""

    memory: Quantity | None = None
    """Memory, asked for and not exceeded: `8Gi`."""

    accelerator: Accelerator | None = None
    """GPUs or the like."""

    retries: int | None = pydantic.Field(None, ge=0, le=10)
    """How often a failed container is started again; not the driver before it, nor a pod that was evicted. Needs KFP
    2.5."""

    retry_wait_seconds: int | None = pydantic.Field(None, ge=0)
    """Wait before the first retry, doubled before each further one, up to an hour."""

    timeout_minutes: int | None = pydantic.Field(None, ge=1)
    """The pod is killed after so long, retries each on their own. Needs KFP 2.2."""

    env: dict[EnvName, str] = {}
    """Environment variables. They stand in the spec, which everybody can read: secrets go into `secret_env`."""

    secret_env: dict[EnvName, SecretKey] = {}
    """Environment variables whose values are keys of Kubernetes secrets."""

    node_selector: dict[LabelKey, LabelValue] = {}
    """Labels of the nodes that may run the task."""

    @pydantic.field_validator("env")
    @classmethod
    def _no_secrets(cls, env: dict[str, str]) -> dict[str, str]:
        for name, value in env.items():
            if _SECRET_NAME.search(name) or secrets.secrets_in(value):
                raise ValueError(
                    f"{name} looks like a secret, and the spec can be read by everybody; make a Kubernetes secret and "
                    "name it in secret_env"
                )
        return env

    def over(self, defaults: Task) -> Task:
        """Returns this task with what it does not say from `defaults`; dicts are merged."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        for name in ("env", "secret_env", "node_selector"):
            given[name] = {**getattr(defaults, name), **getattr(self, name)}
        return defaults.model_copy(update=given)


class Kubeflow(Section):
    """Kubeflow Pipelines v2: `shortlist compile`, `submit`, and the rehearsal on this machine."""

    image: str
    """Image with this package and the locked stack, as deploy/Dockerfile builds it; best by digest."""

    pipeline_root: str | None = None
    """Where artifacts go: gs://, s3:// or minio://. Unless given, where the cluster's kfp-launcher ConfigMap says."""

    data_root: str | None = None
    """Where the tables' relative paths start, as the pods see it: a URI, or a path on a mounted volume."""

    serving_dir: MountPath | None = None
    """Folder that models are pushed to, as the pods see it, on a mounted volume: only a file system can switch versions
    in one step."""

    volumes: tuple[Volume, ...] = ()
    """Persistent volume claims that all tasks see."""

    storage: Literal["copied", "direct"] = "copied"
    """copied: KFP's launcher copies artifacts between the pipeline root and the pod, and Beam works in the pod. direct:
    TFX opens gs:// itself, which Dataflow needs; no other root can."""

    host: str | None = None
    """Address of the Kubeflow Pipelines API; unless given, KF_PIPELINES_ENDPOINT or kfp's own configuration."""

    namespace: Annotated[str, _matching(_DNS_LABEL, "a Kubernetes namespace", 63)] | None = None
    """The run's namespace where Kubeflow has several users."""

    metadata: Annotated[str, _matching(_ADDRESS, "host:port, without http://")] | None = None
    """Address of the cluster's ML Metadata (gRPC), `localhost:8080` after a port-forward. With it, `submit` finds what
    a run is compared with, and `--wait` tells whether the model was pushed."""

    experiment: str = "Default"
    """Experiment that runs are listed under."""

    service_account: DnsName | None = None
    """Kubernetes service account of the pods; unless given, KFP's own."""

    image_pull_secret: DnsName | None = None
    """Kubernetes secret to pull the image with."""

    cache: bool = True
    """Whether tasks whose inputs did not change come from the cache."""

    defaults: Task = Task()
    """What every task asks of the cluster."""

    tasks: dict[str, Task] = {}
    """What single tasks ask of it, by the node's id: `Trainer: {memory: 16Gi}`."""

    @pydantic.field_validator("image")
    @classmethod
    def _image(cls, image: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*", image):
            raise ValueError(f"expected an image such as registry.example.com/shortlist:1, got {image!r}")
        return image

    @pydantic.field_validator("pipeline_root", "data_root", "host")
    @classmethod
    def _address(cls, address: str | None) -> str | None:
        return address if address is None else without_credentials(address)

    @pydantic.field_validator("pipeline_root")
    @classmethod
    def _root(cls, root: str | None) -> str | None:
        scheme, _, rest = (root or "").partition("://")
        if root is not None and (scheme not in ROOT_SCHEMES or not rest.strip("/")):
            schemes = ", ".join(f"{scheme}://" for scheme in ROOT_SCHEMES)
            raise ValueError(f"expected a bucket that KFP's launcher can open ({schemes}), got {root!r}")
        return root

    @pydantic.field_validator("data_root")
    @classmethod
    def _data_root(cls, root: str | None) -> str | None:
        return root if root is None or "://" in root else _mount_path(root)

    @pydantic.model_validator(mode="after")
    def _direct_needs_gs(self) -> Kubeflow:
        if self.storage == "direct" and not (self.pipeline_root or "").startswith("gs://"):
            raise ValueError(
                f"storage: direct needs a pipeline_root that TFX opens itself, gs://, got {self.pipeline_root!r}"
            )
        return self

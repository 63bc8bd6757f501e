"""Submits a package with kfp's own client, and turns what can go wrong into one sentence."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import logging
import os
import pathlib
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pipeline.kubeflow.package import Package
from shortlist.config.kubeflow import Kubeflow
from shortlist.errors import BadInputError, ShortlistError

HOST = "KF_PIPELINES_ENDPOINT"
"""kfp's own variable with the API's address."""
TOKEN = "KF_PIPELINES_TOKEN"  # noqa: S105
"""Variable with a bearer token, of `kubectl create token` or of a login in front of the API."""
COOKIES = "KF_PIPELINES_COOKIES"
"""Variable with the cookies of a login in front of the API: `authservice_session=...`."""

DONE_STATES = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED", "ERROR")
_POLL_SECONDS = 5.0
_MOST_SILENCE = 12
"""Polls without an answer in a row after which waiting is given up: a minute."""


class Unreachable(BadInputError):
    """Nothing, or something else, answers at the address."""


class RunLost(ShortlistError):
    """The API no longer tells of a run that goes on."""


@dataclasses.dataclass(frozen=True)
class Submission:
    """A run, or a schedule of runs."""

    id: str
    address: str
    """Page of Kubeflow's UI."""


@dataclasses.dataclass(frozen=True)
class RunState:
    """How a run stands."""

    state: str
    tasks: Mapping[str, str]
    """Task to state."""

    errors: tuple[str, ...]
    """What the API says went wrong."""

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.state in DONE_STATES


class Cluster:
    """A Kubeflow Pipelines API.

    Credentials come from the environment (`KF_PIPELINES_TOKEN`, `KF_PIPELINES_COOKIES`, kfp's variables for Google's
    Identity-Aware Proxy) or from kfp's own configuration, never from a config or an option.

    Args:
      kubeflow: The config's section.

    Raises:
      Unreachable: Nothing answers, or no Kubeflow Pipelines.
      BadInputError: The credentials are refused, or a namespace is needed.
    """

    def __init__(self, kubeflow: Kubeflow):
        self._kubeflow = kubeflow
        self._address = kubeflow.host or os.environ.get(HOST) or "kfp's own configuration"
        with _quiet(), self._raises_plain_error():
            self._client = _client_class()(
                host=kubeflow.host,
                namespace=kubeflow.namespace or "kubeflow",
                existing_token=os.environ.get(TOKEN),
                cookies=os.environ.get(COOKIES),
                ssl_ca_cert=os.environ.get("SSL_CERT_FILE"),
            )
            health, _, headers = self._client._healthz_api.get_healthz_with_http_info()
        # The client makes an empty answer of whatever is no JSON.
        if "json" not in headers.get("Content-Type", ""):
            raise Unreachable.from_parts(
                "kubeflow.host",
                f"Kubeflow Pipelines at {self._address}",
                "an answer of something else, perhaps a login page",
                f"set {TOKEN} or {COOKIES}, or name the API's own address",
            )
        if health.multi_user and not kubeflow.namespace:
            raise BadInputError.from_parts(
                "kubeflow.namespace",
                f"a namespace, since {self._address} has several users",
                "none",
                "name your profile's",
            )

    def submit(self, package: Package, parameters: Mapping[str, str], run_name: str) -> Submission:
        """Starts a run.

        Args:
          package: Checked.
          parameters: All that it needs, by name.
          run_name: Shown in the UI.

        Raises:
          BadInputError: The API refuses it; says why.
        """
        with _quiet(), self._raises_plain_error(), _file(package) as path:
            result = self._client.create_run_from_pipeline_package(
                path,
                arguments=dict(parameters),
                run_name=run_name,
                experiment_name=self._kubeflow.experiment,
                namespace=self._kubeflow.namespace,
                pipeline_root=self._kubeflow.pipeline_root,
                service_account=self._kubeflow.service_account,
            )
        return Submission(result.run_id, self._page(f"runs/details/{result.run_id}"))

    def schedule(self, package: Package, parameters: Mapping[str, str], run_name: str, cron: str) -> Submission:
        """Starts a run each time that a cron expression of six fields names; one at a time, none made up for.

        Raises:
          BadInputError: The API refuses it; says why.
        """
        with _quiet(), self._raises_plain_error(), _file(package) as path:
            experiment = self._client.create_experiment(self._kubeflow.experiment, namespace=self._kubeflow.namespace)
            created = self._client.create_recurring_run(
                experiment_id=experiment.experiment_id,
                job_name=run_name,
                params=dict(parameters),
                pipeline_package_path=path,
                cron_expression=cron,
                max_concurrency=1,
                no_catchup=True,
                pipeline_root=self._kubeflow.pipeline_root,
                service_account=self._kubeflow.service_account,
            )
        return Submission(created.recurring_run_id, self._page(f"recurringrun/details/{created.recurring_run_id}"))

    def wait(self, run_id: str, heard: Callable[[RunState], None], poll_seconds: float = _POLL_SECONDS) -> RunState:
        """Returns how a run ended.

        Args:
          run_id: The run.
          heard: Called with each answer.
          poll_seconds: Between two questions.

        Raises:
          RunLost: The API has not answered for a minute; the run may well go on.
          BadInputError: The credentials are no longer taken.
        """
        silence = 0
        while True:
            try:
                with _quiet(), self._raises_plain_error():
                    state = _state(self._client.get_run(run_id))
                silence = 0
            except Unreachable as error:
                silence += 1
                if silence >= _MOST_SILENCE:
                    raise RunLost(f"run {run_id} may go on, but {error}") from None
            else:
                heard(state)
                if state.done:
                    return state
            time.sleep(poll_seconds)

    def _page(self, page: str) -> str:
        return f"{self._client._get_url_prefix().rstrip('/')}/#/{page}"

    @contextlib.contextmanager
    def _raises_plain_error(self) -> Iterator[None]:
        """Turns what the client raises into a sentence."""
        import kfp_server_api
        import urllib3

        try:
            yield
        except kfp_server_api.ApiException as error:
            raise _refusal(error.status, _message(error.body), self._address, self._kubeflow.namespace) from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable.from_parts(
                "kubeflow.host",
                f"Kubeflow Pipelines at {self._address}",
                _reason(error),
                "after `kubectl port-forward -n kubeflow svc/ml-pipeline 8888` it is http://localhost:8888",
            ) from None


def _client_class() -> Any:
    """Returns kfp's client, which asks once, not five times in 25 seconds, whether there is an API."""
    import kfp

    class Client(kfp.Client):
        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return self._healthz_api.get_healthz()

    return Client


def _refusal(status: int | None, said: str, address: str, namespace: str | None) -> BadInputError:
    if status == 401:
        return BadInputError(f"{address} does not know who asks ({said}); set {TOKEN} or {COOKIES} to a fresh one")
    if status == 403:
        where = f" in namespace {namespace}" if namespace else ""
        return BadInputError(f"{address} does not let this user do that{where} ({said}); ask whoever runs it")
    if status in (404, 405):
        return Unreachable.from_parts(
            "kubeflow.host", f"the API of Kubeflow Pipelines v2 at {address}", f"{status}: {said}"
        )
    if status is not None and status >= 500:
        return Unreachable(f"{address} failed with {status}: {said}; see the log of the ml-pipeline deployment")
    return BadInputError(f"{address} refused it with {status}: {said}")


def _message(body: Any) -> str:
    """Returns what an answer of the API says of an error, in one line."""
    text = body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body or "")
    with contextlib.suppress(ValueError):
        answer = json.loads(text)
        if isinstance(answer, dict):
            details = (
                answer.get("error_details")
                or answer.get("error_message")
                or answer.get("message")
                or answer.get("error")
            )
            text = str(details or text)
    line = " ".join(text.split())
    return line[:300] or "no reason given"


def _reason(error: BaseException) -> str:
    inner = getattr(error, "reason", None)
    text = str(inner or error)
    # urllib3 names the connection object first.
    return text.rpartition(": ")[2] if "object at 0x" in text else text


def _state(run: Any) -> RunState:
    details = run.run_details.task_details if run.run_details is not None else None
    tasks: dict[str, str] = {}
    errors: list[str] = [run.error.message] if run.error is not None and run.error.message else []
    for task in details or []:
        # Drivers and the DAG itself are no tasks of ours.
        name = task.display_name or ""
        if not name or name.endswith("-driver") or name in ("root", "executor") or task.state is None:
            continue
        tasks[name] = task.state
        if task.error is not None and task.error.message:
            errors.append(f"{name}: {task.error.message}")
    return RunState(run.state or "PENDING", tasks, tuple(errors))


@contextlib.contextmanager
def _file(package: Package) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "pipeline.yaml"
        path.write_text(package.to_yaml(), encoding="utf-8")
        yield str(path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps quiet what kfp prints, its warnings of its own arguments, and tracebacks of what is told in a sentence."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

"""Submits a package with kfp's own client, and turns its exceptions into errors of one sentence."""

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
"""Environment variable with the API's address; kfp reads it, too."""
TOKEN = "KF_PIPELINES_TOKEN"  # noqa: S105
"""Environment variable with a bearer token, from `kubectl create token` or from a login proxy."""
COOKIES = "KF_PIPELINES_COOKIES"
"""Environment variable with the cookies of a login proxy: `authservice_session=...`."""

# Final states of a run in the API.
DONE_STATES = ("SUCCEEDED", "FAILED", "SKIPPED", "CANCELED", "ERROR")
_POLL_SECONDS = 5.0
# A minute at 5 s per poll, so that a run survives a short break of the connection.
_MAX_FAILED_POLLS = 12


class Unreachable(BadInputError):
    """The API of Kubeflow Pipelines does not answer at the address."""


class RunLost(ShortlistError):
    """The API stopped answering while a run was active."""


@dataclasses.dataclass(frozen=True)
class Submission:
    """A submitted run, or a schedule of runs."""

    id: str
    address: str
    """URL of its page in Kubeflow's UI."""


@dataclasses.dataclass(frozen=True)
class RunState:
    """State of a run and of its tasks."""

    state: str
    tasks: Mapping[str, str]
    """Task to state."""

    errors: tuple[str, ...]
    """Error messages of the run and of its tasks."""

    @property
    def done(self) -> bool:
        """Whether the run has ended."""
        return self.state in DONE_STATES


class Cluster:
    """A Kubeflow Pipelines API.

    Credentials come from the environment (`KF_PIPELINES_TOKEN`, `KF_PIPELINES_COOKIES`, kfp's variables for Google's
    Identity-Aware Proxy) or from kfp's own configuration, never from a config or an option.

    Args:
      kubeflow: The config's section.

    Raises:
      Unreachable: No server answers, or it is not Kubeflow Pipelines.
      BadInputError: The API refuses the credentials, or needs a namespace.
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
        # kfp's client turns a body that is not JSON into an empty answer.
        if "json" not in headers.get("Content-Type", ""):
            raise Unreachable.from_parts(
                "kubeflow.host",
                f"Kubeflow Pipelines at {self._address}",
                "another server's answer, perhaps a login page",
                f"set {TOKEN} or {COOKIES}, or give the API's own address",
            )
        if health.multi_user and not kubeflow.namespace:
            raise BadInputError.from_parts(
                "kubeflow.namespace",
                f"a namespace, since {self._address} has several users",
                "none",
                "give the namespace of your profile",
            )

    def submit(self, package: Package, parameters: Mapping[str, str], run_name: str) -> Submission:
        """Starts a run.

        Args:
          package: A checked package.
          parameters: Values of all its parameters, by name.
          run_name: Name in the UI.

        Raises:
          BadInputError: The API refuses the run.
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
        """Schedules runs by a cron expression of six fields.

        A run starts only when the one before has ended, and missed runs are not caught up.

        Raises:
          BadInputError: The API refuses the schedule.
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

    def wait(self, run_id: str, on_state: Callable[[RunState], None], poll_seconds: float = _POLL_SECONDS) -> RunState:
        """Waits for the end of a run and returns its final state.

        Args:
          run_id: The run's id.
          on_state: Called with the state after each poll.
          poll_seconds: Seconds between two polls.

        Raises:
          RunLost: The API has not answered for a minute. The run may still be active.
          BadInputError: The API no longer accepts the credentials.
        """
        failed_polls = 0
        while True:
            try:
                with _quiet(), self._raises_plain_error():
                    state = _state(self._client.get_run(run_id))
                failed_polls = 0
            except Unreachable as error:
                failed_polls += 1
                if failed_polls >= _MAX_FAILED_POLLS:
                    raise RunLost(f"run {run_id} may still be active, but {error}") from None
            else:
                on_state(state)
                if state.done:
                    return state
            time.sleep(poll_seconds)

    def _page(self, page: str) -> str:
        return f"{self._client._get_url_prefix().rstrip('/')}/#/{page}"

    @contextlib.contextmanager
    def _raises_plain_error(self) -> Iterator[None]:
        """Turns the client's exceptions into errors of one sentence."""
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
    """Returns kfp's client with a single health check. Its own (2.5) tries five times, for 25 seconds."""
    import kfp

    class Client(kfp.Client):
        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            return self._healthz_api.get_healthz()

    return Client


def _refusal(status: int | None, message: str, address: str, namespace: str | None) -> BadInputError:
    if status == 401:
        return BadInputError(f"{address} does not accept the credentials ({message}); renew {TOKEN} or {COOKIES}")
    if status == 403:
        where = f" in namespace {namespace}" if namespace else ""
        return BadInputError(f"{address} does not allow this user to do that{where} ({message}); ask its administrator")
    if status in (404, 405):
        return Unreachable.from_parts(
            "kubeflow.host", f"the API of Kubeflow Pipelines v2 at {address}", f"{status}: {message}"
        )
    if status is not None and status >= 500:
        return Unreachable(f"{address} failed with {status}: {message}; see the log of the ml-pipeline deployment")
    return BadInputError(f"{address} refused the request with {status}: {message}")


def _message(body: Any) -> str:
    """Returns the error message of an API response, in one line of at most 300 characters."""
    text = str(body or "")
    if isinstance(body, bytes):
        text = body.decode("utf-8", "replace")
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
    # urllib3's messages start with the repr of the connection.
    return text.rpartition(": ")[2] if "object at 0x" in text else text


def _state(run: Any) -> RunState:
    tasks: dict[str, str] = {}
    errors: list[str] = []
    if run.error is not None and run.error.message:
        errors.append(run.error.message)
    details: list[Any] = []
    if run.run_details is not None:
        details = run.run_details.task_details or []
    for task in details:
        # Drivers and the DAG itself are not tasks of the pipeline.
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
    """Silences kfp: its prints, its warnings about its own arguments, and urllib3's log of each retry."""
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield

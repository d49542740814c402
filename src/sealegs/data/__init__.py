"""Published traces as packaged data: a Parquet file for each profile, and shapes of days. See LICENSES.md."""

from importlib.resources import as_file, files

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

# One row is one request. Rows of a session are adjacent and its turns count from 0; `think_s` is the pause
# after the answer before, 0 for the first turn. Prompts of a profile that name the same `prefix` begin with
# the same text, each for its `prefix_tokens`. `t_s` is when a session began, from the trace's start;
# it is null on later turns and where the trace has no times.
_COLUMNS: dict[str, pa.DataType] = {
    "session": pa.int32(),
    "turn": pa.int32(),
    "think_s": pa.float64(),
    "prompt_tokens": pa.int32(),
    "output_tokens": pa.int32(),
    "prefix": pa.int32(),
    "prefix_tokens": pa.int32(),
    "t_s": pa.float64(),
}
TRACE = pa.schema([pa.field(name, kind, nullable=name == "t_s") for name, kind in _COLUMNS.items()])
WEEKDAYS = 5


def read_trace(profile: str) -> pa.Table:
    """A profile's requests, of schema ``TRACE``; source and licence stand in the table's metadata.

    Raises:
        FileNotFoundError: the package has no such profile.
    """
    return _read(f"{profile}.parquet")


def read_day_shape(service: str) -> npt.NDArray[np.float64]:
    """A working day of Azure's LLM service ``code`` or ``conv`` in 2024: 24 hourly rates (UTC) of mean 1.

    Raises:
        ValueError: there is no such service.
    """
    week = _read("shapes/azure_2024.parquet")
    name, weekday = np.asarray(week["service"].to_pylist()), week["weekday"].to_numpy()
    chosen = (name == service) & (weekday < WEEKDAYS)
    if not chosen.any():
        raise ValueError(f"no day shape of service {service!r}; there are {', '.join(sorted(set(name)))}")
    hour = week["hour_index"].to_numpy()[chosen] % 24
    rate = np.bincount(hour, weights=week["rate_relative_to_week_mean"].to_numpy()[chosen])
    return np.asarray(rate / rate.mean())


def _read(name: str) -> pa.Table:
    with as_file(files(__name__).joinpath(name)) as path:
        return pq.read_table(path, use_threads=False)

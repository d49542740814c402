"""Request lengths of published traces as packaged data: a Parquet file for each profile. See LICENSES.md."""

from importlib.resources import as_file, files

import pyarrow as pa
import pyarrow.parquet as pq


def read_lengths(profile: str) -> pa.Table:
    """A profile's trace in its own order: columns ``prompt_tokens`` and ``output_tokens``, both int32.

    Raises:
        FileNotFoundError: the package has no such profile.
    """
    with as_file(files(__name__) / f"{profile}.parquet") as path:
        return pq.read_table(path, use_threads=False)

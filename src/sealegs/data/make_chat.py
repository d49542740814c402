"""Makes ``chat.parquet`` from the Azure 2023 conversation trace.

``python -m sealegs.data.make_chat TRACE.csv``

The trace is AzureLLMInferenceTrace_conv.csv of Azure/AzurePublicDataset, commit b469a11 (CC-BY-4.0). Kept are
its two length columns in their order; its times are not. The same trace gives the same bytes.
"""

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq

COLUMNS = {"ContextTokens": "prompt_tokens", "GeneratedTokens": "output_tokens"}
NOTE = {"source": "Azure/AzurePublicDataset b469a11 AzureLLMInferenceTrace_conv.csv", "licence": "CC-BY-4.0"}


def main(trace: Path) -> int:
    """Write the file next to this module; returns the exit code."""
    options = pyarrow.csv.ConvertOptions(
        include_columns=list(COLUMNS), column_types=dict.fromkeys(COLUMNS, pa.int32())
    )
    table = pyarrow.csv.read_csv(trace, convert_options=options)
    table = table.rename_columns(list(COLUMNS.values())).replace_schema_metadata(NOTE)
    if any(pyarrow.compute.min(column).as_py() < 1 for column in table.columns):
        sys.stderr.write(f"{trace}: a length below one token; is this the conversation trace?\n")
        return 4
    pq.write_table(table, Path(__file__).with_name("chat.parquet"), compression="zstd", compression_level=19)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

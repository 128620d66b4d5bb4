"""From stored objects to a plot, in cells for a notebook or an editor: the engine temperatures of the hottest trucks.

uv run truckstream demo
uv run --extra report --with duckdb python examples/engine_temperatures.py truckstream-data temperatures.png
"""

# %% The objects of the demo, or of any directory that a Batcher has stored to
import sys
from pathlib import Path

import duckdb
import vl_convert

store, picture = sys.argv[1:] or ("truckstream-data", "temperatures.png")
objects = f"{store}/sensor_data/**/batch_*.json"

# %% Name the columns that you need: DuckDB then reads twice as fast as when it guesses them
reports = duckdb.read_json(
    objects,
    format="newline_delimited",
    columns={"truck_id": "VARCHAR", "timestamp": "TIMESTAMP", "engine_temp": "DOUBLE"},
)

# %% The three trucks with the highest mean, and their means by second
hottest = duckdb.sql("""
    WITH hottest AS (
        SELECT truck_id FROM reports GROUP BY truck_id ORDER BY avg(engine_temp) DESC, truck_id LIMIT 3
    )
    SELECT truck_id, date_trunc('second', "timestamp") AS second, avg(engine_temp) AS celsius
    FROM reports SEMI JOIN hottest USING (truck_id)
    GROUP BY ALL ORDER BY ALL
""").fetchall()
print(f"{len(reports)} reports; the hottest trucks: {', '.join(sorted({truck for truck, _, _ in hottest}))}")

# %% One line a truck, described in Vega-Lite
chart = {
    "title": "Engine temperature of the hottest trucks",
    "width": 600,
    "height": 300,
    "data": {"values": [{"truck": truck, "second": str(second), "celsius": mean} for truck, second, mean in hottest]},
    "mark": "line",
    "encoding": {
        "x": {"field": "second", "type": "temporal", "title": "time (UTC)", "axis": {"format": "%H:%M:%S"}},
        "y": {"field": "celsius", "type": "quantitative", "title": "°C, mean of a second", "scale": {"zero": False}},
        "color": {"field": "truck", "type": "nominal", "title": None},
    },
}
Path(picture).write_bytes(vl_convert.vegalite_to_png(chart, scale=2))
print(f"The plot is {picture}.")

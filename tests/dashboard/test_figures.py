"""What the charts draw."""

from __future__ import annotations

from datetime import timedelta

from dashboard.figures import model_plots, service_charts
from dashboard.figures.service_charts import Notes
from server.rpc.catalog import catalog
from sre_edge.v1 import history_pb2, model_pb2
from tests.dashboard.fakes import START, length, topology

PANELS = service_charts.panels(catalog())
SPAN = (START, START + timedelta(minutes=5))


def test_charts_hold_probability_and_six_metrics_with_gaps() -> None:
    series = [
        history_pb2.HistorySeries(
            metric=metric, minimum=[1.0, float("nan"), 3.0], maximum=[2.0, float("nan"), 4.0]
        )
        for metric in (panel.metric for panel in PANELS)
    ]
    history = service_charts.to_history(PANELS, series, START, 2.0)
    figure = service_charts.charts(
        PANELS, history, topology().services[3], Notes(), SPAN, threshold=0.28
    )
    assert len(figure["data"]) == 7
    assert [(panel.title, panel.unit) for panel in PANELS] == [
        ("Incident probability", "%"), ("Latency p95", "ms"), ("Errors", "%"), ("CPU", "%"),
        ("Memory", "%"), ("Throughput", "req/s"), ("Availability", "%"),
    ]  # fmt: skip
    assert [panel.maximum for panel in PANELS] == [100.0, None, None, 100.0, 100.0, None, 100.0]
    assert figure["data"][0]["y"] == [200.0, None, 400.0]  # percent, of the worse end
    assert figure["data"][5]["y"] == [1.0, None, 3.0]  # of throughput the worse end is the least
    assert not any(line["connectgaps"] for line in figure["data"])
    assert figure["data"][0]["dx"] == 2000.0
    levels = {s["y0"] for s in figure["layout"]["shapes"] if s["xref"] == "paper"}
    assert levels == {500, 1, 99.9, 28.000000000000004}


def test_faults_alarms_and_incidents_are_marked_where_they_were() -> None:
    later = START + timedelta(seconds=30)
    notes = Notes([(START, later)], [], [later], [later])
    shapes = service_charts.charts(
        PANELS, service_charts.History(), topology().services[3], notes, SPAN
    )["layout"]["shapes"]
    band = next(shape for shape in shapes if shape["type"] == "rect")
    assert (band["x0"], band["x1"]) == (START.isoformat(), later.isoformat())
    lines = [shape for shape in shapes if shape["type"] == "line" and shape["xref"] == "x"]
    assert {line["line"]["dash"] for line in lines} == {"dot", "solid"}


def test_model_plots_draw_what_is_known() -> None:
    curves = model_pb2.ModelCurves(
        reliability=[model_pb2.ReliabilityBin(said=0.2, happened=0.25, rows=7)],
        operating_points=[
            model_pb2.OperatingPoint(
                threshold=0.3, foreseeable_recall=0.9, false_alarms_per_episode=0.4
            ),
            model_pb2.OperatingPoint(threshold=0.9),
        ],
        lead_times=[model_pb2.LeadTimeBin(incidents=3)],
    )
    bin_from = curves.lead_times.add(incidents=5)
    getattr(bin_from, "from").CopyFrom(length(60))
    assert model_plots.reliability(curves)["data"][1]["y"] == [25.0]
    assert model_plots.lead_times(curves)["data"][0]["x"] == ["missed", "1\N{NO-BREAK SPACE}m"]
    assert model_plots.trade_off(curves, 0.28)["data"][1]["text"] == ["in use"]
    assert model_plots.trade_off(model_pb2.ModelCurves(), 0.28)["data"][1]["x"] == []


def test_the_trade_off_is_a_curve_of_thresholds_that_are_worth_it() -> None:
    points = ((0.008, 0.5, 7.1), (0.016, 0.98, 2.6), (0.05, 0.98, 1.4), (0.3, 0.9, 0.6))
    curves = model_pb2.ModelCurves(
        operating_points=[
            model_pb2.OperatingPoint(
                threshold=threshold, foreseeable_recall=recall, false_alarms_per_episode=false
            )
            for threshold, recall, false in points
        ]
    )
    line, chosen = model_plots.trade_off(curves, 0.01)["data"]
    assert (line["x"], line["y"]) == ([0.6, 1.4], [90.0, 98.0])
    assert chosen["x"] == [7.1]  # the one in use is shown, even if it is not worth it

"""Grafana's dashboard model, as much of it as ours need: panels that flow into rows, and the variables they select by."""

import json

SCHEMA = 42  # of Grafana 13; older ones from 10 on take it too
WIDTH = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
PROXY = 'namespace=~"$namespace",job=~"$proxy"'
ADAPTER = 'namespace=~"$namespace",job=~"$adapter"'


def query(expr, legend="", instant=False, form="time_series"):
    """What a panel asks. `<proxy>` and `<adapter>` stand for what the dashboard's variables select."""
    expr = expr.replace("<proxy>", PROXY).replace("<adapter>", ADAPTER)
    return {"expr": expr, "legendFormat": legend or "__auto", "instant": instant, "range": not instant, "format": form}


def _panel(kind, title, queries, about, *, unit="short", width=6, height=7, defaults=None, options=None, overrides=()):
    targets = [{"refId": chr(ord("A") + number), "datasource": SOURCE, **each} for number, each in enumerate(queries)]
    return {
        "type": kind, "title": title, "description": about, "datasource": SOURCE,
        "gridPos": {"w": width, "h": height, "x": 0, "y": 0}, "targets": targets,
        "fieldConfig": {"defaults": {"unit": unit, **(defaults or {})}, "overrides": list(overrides)}, "options": options or {},
    }


def _steps(levels):
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in levels]}


def stat(title, expr, about, levels=((None, "text"),), *, unit="short", width=3, names=None, legend=""):
    """One number, coloured by `levels`: (from, colour)."""
    mappings = [{"type": "value", "options": {str(value): {"text": text, "index": value} for value, text in names.items()}}] if names else []
    return _panel("stat", title, [query(expr, legend, instant=True)], about, unit=unit, width=width, height=4,
                  defaults={"thresholds": _steps(levels), "color": {"mode": "thresholds"}, "mappings": mappings, "noValue": "–"},
                  options={"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value",
                           "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto"})


def lines(title, queries, about, *, unit="short", width=6, stacked=False, lowest=0):
    """Lines over time; `queries` are (expression, legend)."""
    custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if stacked else 5, "showPoints": "never", "spanNulls": False,
              "stacking": {"mode": "normal" if stacked else "none", "group": "A"}}
    return _panel("timeseries", title, [query(expr, legend) for expr, legend in queries], about, unit=unit, width=width,
                  defaults={"custom": custom, "color": {"mode": "palette-classic"}, "min": lowest},
                  options={"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                           "tooltip": {"mode": "multi", "sort": "desc"}})


def heat(title, expr, about, *, unit="s", width=6):
    """A histogram's buckets over time."""
    return _panel("heatmap", title, [query(expr, "{{le}}", form="heatmap")], about, width=width,
                  options={"calculate": False, "yAxis": {"unit": unit, "axisPlacement": "left"}, "cellGap": 1,
                           "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5, "fill": "dark-orange",
                                     "reverse": False}, "legend": {"show": False}, "tooltip": {"mode": "single", "yHistogram": False},
                           "exemplars": {"color": "rgba(255,0,255,0.7)"}, "rowsFrame": {"layout": "auto"},
                           "filterValues": {"le": 1e-9}})


def table(title, expr, about, *, hidden=(), width=6, height=4):
    """The labels of what a query finds now."""
    gone = {name: True for name in ("Time", "Value", "__name__", *hidden)}
    panel = _panel("table", title, [query(expr, instant=True, form="table")], about, width=width, height=height,
                   options={"showHeader": True, "cellHeight": "sm"})
    panel["transformations"] = [{"id": "organize", "options": {"excludeByName": gone, "indexByName": {}, "renameByName": {}}}]
    return panel


def _placed(rows):
    """Ids and places: each row's panels from left to right, as many on a line as fit."""
    number, top = 0, 0
    for name, panels in rows:
        number += 1
        yield {"type": "row", "id": number, "title": name, "collapsed": False, "panels": [],
               "gridPos": {"w": WIDTH, "h": 1, "x": 0, "y": top}}
        top, left, tallest = top + 1, 0, 0
        for panel in panels:
            place = panel["gridPos"]
            if left + place["w"] > WIDTH:
                top, left, tallest = top + tallest, 0, 0
            number += 1
            yield {"id": number, **panel, "gridPos": place | {"x": left, "y": top}}
            left, tallest = left + place["w"], max(tallest, place["h"])
        top += tallest


# All stands for the values that are found: an `allValue` of .+ would take in whatever else Prometheus scrapes.
def _choice(name, label, metric, want, of=""):
    asked = f"label_values({metric}{{{of}}},{want})" if of else f"label_values({metric},{want})"
    return {"type": "query", "name": name, "label": label, "datasource": SOURCE, "query": {"query": asked, "refId": name},
            "definition": asked, "refresh": 2, "regex": "", "sort": 1, "multi": True, "includeAll": True, "hide": 0,
            "skipUrlSync": False, "options": [], "current": {"selected": True, "text": ["All"], "value": ["$__all"]}}


def dashboard(uid, title, about, rows):
    """A whole dashboard."""
    here = 'namespace=~"$namespace"'
    variables = [
        {"type": "datasource", "name": "datasource", "label": "Prometheus", "query": "prometheus", "regex": "", "refresh": 1, "hide": 0,
         "multi": False, "includeAll": False, "skipUrlSync": False, "options": [], "current": {"selected": False, "text": "default", "value": "default"}},
        _choice("namespace", "Namespace", "proxy_build_info", "namespace"),
        _choice("proxy", "Proxy", "proxy_build_info", "job", here),
        _choice("adapter", "Adapter", "adapter_build_info", "job", here),
    ]
    others = {"type": "dashboards", "title": "MCP Edge", "tags": ["mcp-edge"], "asDropdown": True, "icon": "external link", "tooltip": "",
              "url": "", "includeVars": True, "keepTime": True, "targetBlank": False}
    return {
        "uid": uid, "title": title, "description": about, "tags": ["mcp-edge"], "schemaVersion": SCHEMA, "version": 1, "editable": True,
        "graphTooltip": 1, "fiscalYearStartMonth": 0, "timezone": "browser", "refresh": "30s", "time": {"from": "now-3h", "to": "now"},
        "timepicker": {}, "links": [others], "annotations": {"list": []}, "templating": {"list": variables}, "panels": list(_placed(rows)),
    }


def written(made):
    """The dashboard as text: a line for each panel, so that a change shows as the panel that changed."""
    lists = {"panels": made["panels"], "templating": made["templating"]["list"]}
    head = json.dumps({key: value for key, value in made.items() if key not in lists}, ensure_ascii=False, indent=1)[:-2]
    variables, panels = (",\n".join(f"  {json.dumps(each, ensure_ascii=False)}" for each in lists[key]) for key in ("templating", "panels"))
    return f'{head},\n "templating": {{"list": [\n{variables}\n ]}},\n "panels": [\n{panels}\n ]\n}}\n'

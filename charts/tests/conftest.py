"""Every test that takes `release` runs for every file of `ci/`; every test that takes `workload` for every
workload of each, so that a new service is covered without a new test."""

import chart


def pytest_generate_tests(metafunc):
    if "workload" in metafunc.fixturenames:
        cases = [
            (chart.variant(name), workload)
            for name in chart.VARIANTS
            for workload in chart.variant(name).all(*kinds_for(metafunc))
        ]
        names = [
            f"{name}-{chart.identity(workload)}"
            for name in chart.VARIANTS
            for workload in chart.variant(name).all(*kinds_for(metafunc))
        ]
        metafunc.parametrize(("release", "workload"), cases, ids=names)
    elif "release" in metafunc.fixturenames:
        releases = [chart.variant(name) for name in chart.VARIANTS]
        metafunc.parametrize("release", releases, ids=chart.VARIANTS)


def kinds_for(metafunc) -> tuple[str, ...]:
    """Tests marked `long_running` are not for pods that end by themselves."""
    is_marked = metafunc.definition.get_closest_marker("long_running")
    return chart.LONG_RUNNING if is_marked else chart.WORKLOADS


def pytest_configure(config):
    config.addinivalue_line("markers", "long_running: of Deployments and StatefulSets alone")

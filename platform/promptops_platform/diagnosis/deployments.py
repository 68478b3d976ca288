"""Reports what the last comparison found about schedules and triggers in Prefect."""

from promptops_platform.db.unit_of_work import Transaction
from promptops_platform.deployments.comparisons import Comparisons
from promptops_platform.deployments.tables import PrefectComparisonRow
from promptops_platform.diagnosis.finding import Finding, Findings, ok, warning
from promptops_platform.settings import Settings

CHECK = "deployments"


async def check_deployments(settings: Settings, transaction: Transaction) -> Findings:
    """Returns nothing before the first comparison."""
    row = await Comparisons(settings.work_pool).last(transaction)
    if row is None:
        return []
    findings = [_correction(row)]
    if row.refused:
        findings.append(
            warning(
                CHECK,
                f"Prefect refuses {row.refused} of the schedules and triggers",
                "see problem in GET /api/schedules, and correct these schedules",
            )
        )
    return findings


def _correction(row: PrefectComparisonRow) -> Finding:
    if row.corrected_at is None:
        return ok(CHECK, f"Prefect had all schedules and triggers at {row.compared_at:%F %T} UTC")
    changes = [
        f"{verb} {', '.join(names)}"
        for verb, names in (
            ("created", row.created),
            ("corrected", row.corrected),
            ("removed", row.removed),
        )
        if names
    ]
    if row.timers:
        changes.append(f"{row.timers} timers")
    return ok(
        CHECK,
        f"compared with Prefect at {row.compared_at:%F %T} UTC; what differed last, at "
        f"{row.corrected_at:%F %T} UTC, was corrected: {'; '.join(changes)}",
    )

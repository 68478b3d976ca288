"""Permissions: every route, and the status that each kind of caller gets."""

from typing import NamedTuple

EVERYWHERE = ("nobody", "revoked")
IN_PLACE = ("viewer", "editor", "admin", "sdk", "outsider")

# `Place` describes the callers. `-`: the route doesn't belong to a workspace.
TABLE = """
                                                  nobody      open workspace       restricted one
                                                     revoked  view edit admn sdk out  view edit admn sdk out

GET    /health                                       200 200 | 200 200 200 200 200 | -
GET    /ready                                        200 200 | 200 200 200 200 200 | -
GET    /metrics                                      401 401 | 403 403 200 403 403 | -
GET    /docs                                         200 200 | 200 200 200 200 200 | -
GET    /docs/assets/{name}                           200 200 | 200 200 200 200 200 | -
GET    /openapi.json                                 200 200 | 200 200 200 200 200 | -

POST   /api/login                                    200 200 | 200 200 200 200 200 | -
GET    /api/session                                  200 200 | 200 200 200 200 200 | -
POST   /api/session                                  200 200 | 200 200 200 200 200 | -
POST   /api/logout                                   401 401 | 200 200 200 403 200 | -
GET    /api/me                                       401 401 | 200 200 200 403 200 | -
PUT    /api/me/password                              401 401 | 200 200 200 403 200 | -
DELETE /api/me/sessions                              401 401 | 200 200 200 403 200 | -
GET    /api/users                                    401 401 | 403 403 200 403 403 | -
POST   /api/users                                    401 401 | 403 403 200 403 403 | -
PUT    /api/users/{user_id}                          401 401 | 403 403 200 403 403 | -
DELETE /api/users/{user_id}                          401 401 | 403 403 200 403 403 | -
GET    /api/keys                                     401 401 | 403 403 200 403 200 | 403 403 200 403 404
POST   /api/keys                                     401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/keys/{key_id}                            401 401 | 403 403 200 403 404 | 403 403 200 403 404
POST   /api/keys/{key_id}/adopt                      401 401 | 403 403 200 403 404 | 403 403 200 403 404

GET    /api/workspaces                               401 401 | 200 200 200 403 200 | -
POST   /api/workspaces                               401 401 | 403 200 200 403 200 | -
GET    /api/workspaces/{workspace_id}                401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workspaces/{workspace_id}                401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/workspaces/{workspace_id}                401 401 | 403 403 200 403 403 | 403 403 403 403 403
GET    /api/workspaces/{workspace_id}/members        401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workspaces/{workspace_id}/members/{user} 401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/workspaces/{workspace_id}/members/{user} 401 401 | 403 403 200 403 403 | 403 403 200 403 404
GET    /api/workspaces/{workspace_id}/environments   401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workspaces/{workspace_id}/environments   401 401 | 403 403 200 403 403 | 403 403 200 403 404

GET    /api/prompts                                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/prompts                                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/prompts/publish                          401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/prompts/rollback                         401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}                      401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/prompts/{prompt_id}                      401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/prompts/{prompt_id}                      401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}/versions             401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/prompts/{prompt_id}/versions             401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}/history              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompts/{prompt_id}/diff                 401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/prompts/{prompt_id}/promote              401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/prompts/{prompt_id}/rollout              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompts/{prompt_id}/usage                401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys                              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys/facets                       401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys/calls                        401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/prompt-keys/programs                     401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/prompts/{prompt_id}/rollout              401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/prompts/{prompt_id}/rollout              401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/rollouts                                 401 401 | 200 200 200 403 200 | 200 200 200 403 404

GET    /api/sdk/prompts/{key}                        401 401 | 200 200 200 200 200 | 200 200 200 200 404
HEAD   /api/sdk/prompts/{key}                        401 401 | 200 200 200 200 200 | 200 200 200 200 404
GET    /api/sdk/snapshot                             401 401 | 200 200 200 200 200 | 200 200 200 200 404
WS     /ws                                           401 401 | 101 101 101 101 101 | 101 101 101 101 101
GET    /api/clients                                  401 401 | 200 200 200 403 200 | -

GET    /api/workflows                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows                                401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/workflows/{workflow_id}                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/workflows/{workflow_id}/usage            401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/workflows/{workflow_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/workflows/{workflow_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/workflows/{workflow_id}/versions         401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows/{workflow_id}/versions         401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/workflows/{workflow_id}/versions/{version} 401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/workflows/{workflow_id}/history          401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/workflows/{workflow_id}/diff             401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows/{workflow_id}/publish          401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/workflows/{workflow_id}/rollback         401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/workflows/{workflow_id}/promote          401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/workflows/validate                       401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/workflows/{workflow_id}/run              401 401 | 200 200 200 403 200 | 200 200 200 403 404

GET    /api/schedules                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/schedules                                401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/schedules/times                          401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/schedules/preview                        401 401 | 200 200 200 403 200 | -
GET    /api/schedules/{schedule_id}                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/schedules/{schedule_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/schedules/{schedule_id}                  401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/schedules/{schedule_id}/pause            401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/schedules/{schedule_id}/resume           401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/schedules/{schedule_id}/run              401 401 | 403 202 202 403 202 | 403 202 202 403 404

GET    /api/providers                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/providers                                401 401 | 403 403 200 403 403 | 403 403 200 403 404
GET    /api/providers/{connection_id}                401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/providers/{connection_id}                401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/providers/{connection_id}                401 401 | 403 403 200 403 403 | 403 403 200 403 404
POST   /api/providers/{connection_id}/test           401 401 | 403 403 200 403 403 | 403 403 200 403 404

GET    /api/playground/providers                     401 401 | 200 200 200 403 200 | -
POST   /api/playground/run                           401 401 | 200 200 200 403 200 | 200 200 200 403 404

GET    /api/agents                                   401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents                                   401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}                        401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/usage                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/agents/{agent_id}                        401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/agents/{agent_id}                        401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}/versions               401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents/{agent_id}/versions               401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}/versions/{version}     401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/history                401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/diff                   401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents/{agent_id}/publish                401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/agents/{agent_id}/rollback               401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/agents/{agent_id}/promote                401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/agents/{agent_id}/run                    401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/agents/{agent_id}/tools/try              401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/agents/{agent_id}/conversations          401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/agents/{agent_id}/conversations/{conversation_id} 401 401 | 200 200 200 403 200 | 200 200 200 403 404
DELETE /api/agents/{agent_id}/conversations/{conversation_id} 401 401 | 403 200 200 403 200 | 403 200 200 403 404

GET    /api/change-requests                          401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/change-requests/{request_id}             401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/change-requests/{request_id}/comments    401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/approve     401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/reject      401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/withdraw    401 401 | 403 403 200 403 403 | 403 403 200 403 404
POST   /api/change-requests/{request_id}/refresh     401 401 | 403 403 403 403 403 | 403 403 403 403 404
POST   /api/change-requests/{request_id}/schedule    401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/change-requests/{request_id}/apply       401 401 | 403 403 200 403 403 | 403 403 200 403 404
GET    /api/triggers                                 401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/triggers                                 401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/triggers/{trigger_id}                    401 401 | 200 200 200 403 200 | 200 200 200 403 404
PUT    /api/triggers/{trigger_id}                    401 401 | 403 200 200 403 200 | 403 200 200 403 404
DELETE /api/triggers/{trigger_id}                    401 401 | 403 200 200 403 200 | 403 200 200 403 404
POST   /api/triggers/{trigger_id}/rotate-secret      401 401 | 403 200 200 403 200 | 403 200 200 403 404
GET    /api/triggers/{trigger_id}/deliveries         401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/triggers/{trigger_id}/deliveries/{delivery_id}/resend 401 401 | 403 202 202 403 202 | 403 202 202 403 404
POST   /hooks/{hook}                                 404 404 | 404 404 404 404 404 | -

GET    /api/sample                                   401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/sample                                   401 401 | 403 403 200 403 403 | 403 403 200 403 404
DELETE /api/sample                                   401 401 | 403 403 200 403 403 | 403 403 200 403 404

GET    /api/runs                                     401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/stats                               401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/points                              401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/{run_id}                            401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/runs/{run_id}/events                     401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/runs/{run_id}/cancel                     401 401 | 202 202 202 403 202 | 202 202 202 403 404
POST   /api/runs/{run_id}/retry                      401 401 | 202 202 202 403 202 | 202 202 202 403 404
GET    /api/approvals                                401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/approvals/{approval_id}                  401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/approvals/{approval_id}/approve          401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/approvals/{approval_id}/reject           401 401 | 200 200 200 403 200 | 200 200 200 403 404
POST   /api/approvals/{approval_id}/link             401 401 | 200 200 200 403 200 | 200 200 200 403 404
GET    /api/approval-links/{token}                   200 200 | 200 200 200 200 200 | -
POST   /api/approval-links/{token}                   200 200 | 200 200 200 200 200 | -
GET    /approve/{token}                              200 200 | 200 200 200 200 200 | -
POST   /approve/{token}                              200 200 | 200 200 200 200 200 | -
GET    /api/prices                                   401 401 | 200 200 200 403 200 | -
GET    /api/system                                   401 401 | 403 403 200 403 403 | -
GET    /api/system/findings                          401 401 | 403 403 200 403 403 | -
GET    /api/workers                                  401 401 | 403 403 200 403 403 | -
POST   /api/worker/register                          401 401 | 403 403 403 403 403 | -
POST   /api/worker/heartbeat                         401 401 | 403 403 403 403 403 | -
POST   /api/worker/leave                             401 401 | 403 403 403 403 403 | -
POST   /api/worker/runs/{flow_run_id}/claim          401 401 | 403 403 403 403 403 | -
POST   /api/worker/runs/{run_id}/events              401 401 | 403 403 403 403 403 | -
POST   /api/worker/runs/{run_id}/return              401 401 | 403 403 403 403 403 | -
GET    /api/audit                                    401 401 | 200 200 200 403 200 | -
GET    /api/audit/export                             401 401 | 200 200 200 403 200 | -
"""  # noqa: E501  a table


class Row(NamedTuple):
    """A route and the expected statuses, by kind of workspace and caller."""

    method: str
    path: str
    expected: dict[tuple[str, str], int]

    @property
    def name(self) -> tuple[str, str]:
        return (self.method, self.path)


def parsed(line: str) -> Row:
    anywhere, in_open, in_restricted = line.split("|")
    method, path, *statuses = anywhere.split()
    expected = {("open", caller): int(s) for caller, s in zip(EVERYWHERE, statuses, strict=True)}
    for kind, group in (("open", in_open), ("restricted", in_restricted)):
        if group.strip() != "-":
            in_place = zip(IN_PLACE, group.split(), strict=True)
            expected |= {(kind, caller): int(status) for caller, status in in_place}
    return Row(method, path, expected)


ROWS = [parsed(line) for line in TABLE.splitlines() if "|" in line]

import type { Component } from 'vue'

import type { StepType } from '../steps'

import ApprovalFields from './ApprovalFields.vue'
import BranchFields from './BranchFields.vue'
import CallFields from './CallFields.vue'
import HttpFields from './HttpFields.vue'
import MapFields from './MapFields.vue'
import ModelStepFields from './ModelStepFields.vue'
import RenderFields from './RenderFields.vue'
import TransformFields from './TransformFields.vue'

/** The fields of each kind of steps. */
export const KIND_FIELDS: Record<StepType, Component> = {
  render: RenderFields, model: ModelStepFields, transform: TransformFields, http: HttpFields, agent: CallFields, workflow: CallFields, map: MapFields, branch: BranchFields, approval: ApprovalFields,
}

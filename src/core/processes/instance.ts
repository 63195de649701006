import type { RecordedEvent } from '../recorded-event.ts'
import type { CommandCall, JobRequest } from './action.ts'
import type { AnyProcess } from './process-manager.ts'

/** What an instance is told of: an event, or what became of something that it asked for. */
export type ProcessInput =
  | { readonly kind: 'event'; readonly event: RecordedEvent }
  | { readonly kind: 'succeeded'; readonly action: string }
  | {
      readonly kind: 'rejected'
      readonly action: string
      readonly code: string
      readonly details: unknown
    }
  | { readonly kind: 'gave-up'; readonly action: string; readonly error: string }
  | { readonly kind: 'timer'; readonly timer: string }
  | { readonly kind: 'retry' }
  | { readonly kind: 'abort'; readonly reason: string }
  | { readonly kind: 'settled'; readonly reason: string }

/** An action as it is recorded: nothing is left to be computed when it is carried out. */
export type RecordedAction =
  | {
      readonly kind: 'command'
      readonly id: string
      readonly call: CommandCall
      readonly compensation: CommandCall | null
    }
  /** The compensation of a step, begun when those before it have succeeded. */
  | {
      readonly kind: 'compensation'
      readonly id: string
      readonly step: string
      readonly call: CommandCall
    }
  /** A command that was given up, once more. */
  | { readonly kind: 'retry'; readonly id: string; readonly call: CommandCall }
  | { readonly kind: 'job'; readonly id: string; readonly job: JobRequest }
  | {
      readonly kind: 'timer'
      readonly id: string
      readonly name: string
      /** As ISO 8601. */
      readonly dueAt: string
    }
  | { readonly kind: 'cancel'; readonly name: string }
  | { readonly kind: 'complete' }
  | { readonly kind: 'fail'; readonly reason: string }

/** A command that an instance has sent. */
export interface ProcessStep {
  readonly id: string
  readonly call: CommandCall
  /** What undoes it. */
  readonly compensation: CommandCall | null
  /** Of a compensation: the step that it undoes. */
  readonly undoes: string | null
  /** `settled`: of a compensation that was stuck, somebody has seen to it. */
  readonly state: 'pending' | 'succeeded' | 'rejected' | 'gave-up' | 'settled'
  /** Why it was rejected or given up, or what somebody did about it. */
  readonly reason: string | null
}

export interface ProcessTimer {
  readonly id: string
  readonly name: string
  readonly dueAt: Date
}

/** One process under way, or over. */
export interface Instance {
  /** What the definition's `evolve` has made of the events. */
  readonly state: unknown
  readonly phase: 'running' | 'completing' | 'compensating' | 'completed' | 'compensated'
  /** Why it failed. */
  readonly reason: string | null
  /** In the order in which they were asked for. */
  readonly steps: readonly ProcessStep[]
  /** Ids of the steps that succeeded, in the order in which the instance heard of it. */
  readonly succeeded: readonly string[]
  /** Those that are running. */
  readonly timers: readonly ProcessTimer[]
}

/**
 * How an instance is doing. `stuck`: a command was given up, or a compensation refused, and somebody has
 * to see to it. `completed` and `compensated` are for ever.
 */
export type InstanceState = 'running' | 'compensating' | 'stuck' | 'completed' | 'compensated'

/** Says how an instance is doing. */
export function stateOfInstance(instance: Instance): InstanceState {
  const { phase, steps } = instance
  if (phase === 'completed' || phase === 'compensated') return phase
  if (steps.some((step) => isStuck(step, phase))) return 'stuck'
  return phase === 'compensating' ? phase : 'running'
}

/**
 * Whether a step needs somebody: nothing that the process does by itself settles it. A command that was given
 * up has done nothing, so that nothing of it has to be undone.
 */
export function isStuck(step: ProcessStep, phase: Instance['phase']): boolean {
  if (step.undoes !== null) return isStuckUndoing(step)
  return step.state === 'gave-up' && phase !== 'compensating'
}

/** Computes an instance from what it was told and what it answered then. Nothing is decided here. */
export function evolveInstance(
  definition: AnyProcess,
  before: Instance | undefined,
  input: ProcessInput,
  actions: readonly RecordedAction[],
): Instance {
  const told = tell(definition, before ?? newInstance(definition), input)
  return settle(actions.reduce(carry, told))
}

/** Shows an instance what it is told, before it answers. */
export function tell(definition: AnyProcess, before: Instance, input: ProcessInput): Instance {
  switch (input.kind) {
    case 'event': {
      const evolve = definition.evolve[input.event.type] as
        | ((state: unknown, event: unknown) => unknown)
        | undefined
      return evolve === undefined ? before : { ...before, state: evolve(before.state, input.event) }
    }
    case 'succeeded': {
      const told = setStep(before, input.action, 'succeeded', null)
      return { ...told, succeeded: [...before.succeeded, input.action] }
    }
    case 'rejected':
      return setStep(before, input.action, 'rejected', input.code)
    case 'gave-up':
      return setStep(before, input.action, 'gave-up', input.error)
    case 'timer':
      return { ...before, timers: before.timers.filter(({ id }) => id !== input.timer) }
    case 'settled':
      return before.steps
        .filter((step) => isStuckUndoing(step))
        .reduce((told, { id }) => setStep(told, id, 'settled', input.reason), before)
    case 'retry':
    case 'abort':
      return before
  }
}

/** Whether a compensation was refused or given up. */
export function isStuckUndoing({ undoes, state }: ProcessStep): boolean {
  return undoes !== null && (state === 'gave-up' || state === 'rejected')
}

/** Makes an instance that has been told nothing. */
export function newInstance({ initial }: AnyProcess): Instance {
  const state = initial()
  return { state, phase: 'running', reason: null, steps: [], succeeded: [], timers: [] }
}

/** The step to undo next. Undefined while something is under way, or when nothing is left. */
export function nextToUndo({ phase, steps, succeeded }: Instance): ProcessStep | undefined {
  if (phase !== 'compensating' || steps.some(isUnsettled)) return undefined
  const undone = new Set(steps.map(({ undoes }) => undoes))
  const id = succeeded.findLast((one) => {
    const step = steps.find((candidate) => candidate.id === one)
    return step !== undefined && step.compensation !== null && !undone.has(one)
  })
  return steps.find((step) => step.id === id)
}

/** Whether a compensation has to wait for a step. */
function isUnsettled(step: ProcessStep): boolean {
  return step.state === 'pending' || isStuck(step, 'compensating')
}

function carry(before: Instance, action: RecordedAction): Instance {
  switch (action.kind) {
    case 'command':
      return addStep(before, { ...action, undoes: null })
    case 'compensation':
      return addStep(before, { ...action, undoes: action.step, compensation: null })
    case 'retry':
      return setStep(before, action.id, 'pending', null)
    case 'timer': {
      const { id, name, dueAt } = action
      const others = before.timers.filter((timer) => timer.name !== name)
      return { ...before, timers: [...others, { id, name, dueAt: new Date(dueAt) }] }
    }
    case 'cancel':
      return { ...before, timers: before.timers.filter(({ name }) => name !== action.name) }
    case 'complete':
      return before.phase === 'running' ? { ...before, phase: 'completing', timers: [] } : before
    case 'fail':
      return { ...before, phase: 'compensating', reason: action.reason, timers: [] }
    case 'job':
      return before
  }
}

/** Ends it when nothing is left to wait for. */
function settle(instance: Instance): Instance {
  const { phase, steps } = instance
  if (phase === 'completing') {
    const isOpen = steps.some(({ state }) => state === 'pending' || state === 'gave-up')
    return isOpen ? instance : { ...instance, phase: 'completed' }
  }
  if (phase !== 'compensating' || steps.some(isUnsettled)) return instance
  return nextToUndo(instance) === undefined ? { ...instance, phase: 'compensated' } : instance
}

function addStep(
  before: Instance,
  { id, call, compensation, undoes }: Omit<ProcessStep, 'state' | 'reason'>,
): Instance {
  const step = { id, call, compensation, undoes, state: 'pending', reason: null } as const
  return { ...before, steps: [...before.steps, step] }
}

function setStep(
  before: Instance,
  id: string,
  state: ProcessStep['state'],
  reason: string | null,
): Instance {
  const steps = before.steps.map((step) => (step.id === id ? { ...step, state, reason } : step))
  return { ...before, steps }
}

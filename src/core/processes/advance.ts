import { isPromise } from '../is-promise.ts'
import { type Action, act, type CommandCall } from './action.ts'
import { durationMs } from './duration.ts'
import {
  evolveInstance,
  type Instance,
  isStuck,
  isStuckUndoing,
  newInstance,
  nextToUndo,
  type ProcessInput,
  type ProcessStep,
  type RecordedAction,
  tell,
} from './instance.ts'
import type { AnyProcess, RefusedCommand } from './process-manager.ts'

/** What an instance is told, and when that was recorded. */
export interface Telling {
  readonly input: ProcessInput
  readonly at: Date
  /** Names the n-th action of the answer: the same whenever the same event is told. */
  readonly actionId: (index: number) => string
}

/** What came of it. */
export interface Advanced {
  readonly instance: Instance
  readonly actions: readonly RecordedAction[]
}

/**
 * Tells an instance something and takes its answer. Pure, as far as the handlers are: the same instance
 * told the same answers with the same actions, ids included.
 *
 * @returns null when the instance is not concerned: it is not there, or over; a timer was cancelled.
 * @throws what a handler throws, and an error when it answers with something that is no action.
 */
export function advance(
  definition: AnyProcess,
  before: Instance | undefined,
  telling: Telling,
): Advanced | null {
  const { input, actionId } = telling
  if (!concerns(definition, before, input)) return null
  const told = tell(definition, before ?? newInstance(definition), input)
  const answered = input.kind === 'retry' ? retry(told) : answer(definition, before, told, telling)
  const instance = evolveInstance(definition, before, input, answered)
  const step = nextToUndo(instance)
  if (step === undefined || step.compensation === null) return { instance, actions: answered }
  const undo = {
    kind: 'compensation',
    id: actionId(answered.length),
    step: step.id,
    call: step.compensation,
  } as const
  const actions = [...answered, undo]
  return { instance: evolveInstance(definition, before, input, actions), actions }
}

function concerns(
  definition: AnyProcess,
  instance: Instance | undefined,
  input: ProcessInput,
): boolean {
  const { starts, on, evolve } = definition
  if (instance === undefined) return input.kind === 'event' && starts.has(input.event.type)
  const { phase, steps, timers } = instance
  if (phase === 'completed' || phase === 'compensated') return false
  switch (input.kind) {
    case 'event': {
      const isAnswered = phase === 'running' && on[input.event.type] !== undefined
      return isAnswered || evolve[input.event.type] !== undefined
    }
    case 'succeeded':
      // Also of one that was given up, or refused, and that somebody has retried.
      return steps.some(({ id, state }) => id === input.action && state !== 'succeeded')
    case 'rejected':
      return steps.some(({ id, state }) => id === input.action && isOpen(state))
    case 'gave-up':
      return steps.some(({ id, state }) => id === input.action && state === 'pending')
    case 'timer':
      return timers.some(({ id }) => id === input.timer)
    case 'retry':
      return steps.some((step) => isStuck(step, phase))
    case 'settled':
      return steps.some(isStuckUndoing)
    case 'abort':
      return phase !== 'compensating'
  }
}

function isOpen(state: ProcessStep['state']): boolean {
  return state === 'pending' || state === 'gave-up'
}

function retry({ steps, phase }: Instance): readonly RecordedAction[] {
  return steps
    .filter((step) => isStuck(step, phase))
    .map(({ id, call }) => ({ kind: 'retry', id, call }))
}

/** Has the handler answer, and writes down what it wants. */
function answer(
  definition: AnyProcess,
  before: Instance | undefined,
  told: Instance,
  { input, at, actionId }: Telling,
): readonly RecordedAction[] {
  const answered = callHandler(definition, before, told, input)
  if (isPromise(answered)) {
    throw new Error('its handler returned a promise: a handler is pure, let a job do what waits')
  }
  return listActions(answered).map((action, index) =>
    record(definition, action, at, actionId(index)),
  )
}

type Handler = (...args: readonly unknown[]) => unknown

function callHandler(
  { on, onTimer, onRejected }: AnyProcess,
  before: Instance | undefined,
  { state, phase, steps }: Instance,
  input: ProcessInput,
): unknown {
  switch (input.kind) {
    case 'event':
      return phase === 'running' ? call(on[input.event.type], state, input.event, act) : null
    case 'timer': {
      const timer = before?.timers.find(({ id }) => id === input.timer)
      return call(onTimer[timer?.name ?? ''], state, act)
    }
    case 'rejected': {
      const step = steps.find(({ id }) => id === input.action)
      if (step === undefined || step.undoes !== null || phase === 'compensating') return null
      const refused = { ...step.call, code: input.code, details: input.details }
      return onRejected === null ? failBy(refused) : call(onRejected, state, refused, act)
    }
    case 'abort':
      return act.fail(input.reason)
    default:
      return null
  }
}

function call(handler: unknown, ...args: readonly unknown[]): unknown {
  return typeof handler === 'function' ? (handler as Handler)(...args) : null
}

function failBy({ decider, target, command, code }: RefusedCommand): Action {
  return act.fail(`command "${command}" was refused by "${decider}-${target}": ${code}`)
}

function listActions(answered: unknown): readonly Action[] {
  if (answered === undefined || answered === null) return []
  const actions: readonly unknown[] = Array.isArray(answered) ? answered : [answered]
  const strange = actions.find((one) => !isAction(one))
  if (strange === undefined) return actions as readonly Action[]
  throw new Error('its handler answered with something that no function of `act` has made')
}

const kinds: ReadonlySet<unknown> = new Set<Action['kind']>([
  'command',
  'job',
  'timer',
  'cancel',
  'complete',
  'fail',
])

function isAction(value: unknown): value is Action {
  return typeof value === 'object' && value !== null && 'kind' in value && kinds.has(value.kind)
}

/**
 * Writes an action down, with nothing left to compute.
 *
 * @param at what durations are counted from.
 */
export function record(
  definition: AnyProcess,
  action: Action,
  at: Date,
  id: string,
): RecordedAction {
  switch (action.kind) {
    case 'command': {
      const { compensation } = action
      const call = recordCall(definition, action)
      return {
        kind: 'command',
        id,
        call,
        compensation: compensation && recordCall(definition, compensation),
      }
    }
    case 'job': {
      const { task, payload, options } = action.job
      const stored = asJson(`the payload of job "${task}"`, payload)
      return { kind: 'job', id, job: { task, payload: stored, options: throughJson(options) } }
    }
    case 'timer': {
      requireTimer(definition, action.name)
      const due =
        action.at instanceof Date ? action.at : new Date(at.getTime() + durationMs(action.at))
      return { kind: 'timer', id, name: action.name, dueAt: due.toISOString() }
    }
    case 'cancel':
      requireTimer(definition, action.name)
      return action
    case 'complete':
    case 'fail':
      return action
  }
}

function recordCall(
  { deciders }: AnyProcess,
  { decider, target, command, input = null }: CommandCall,
): CommandCall {
  const known = deciders.find(({ name }) => name === decider)
  if (known === undefined) throw new Error(`decider "${decider}" is not in its deciders`)
  if (!Object.hasOwn(known.commands, command)) {
    throw new Error(`decider "${decider}" has no command "${command}"`)
  }
  return { decider, target, command, input: asJson(`the input of command "${command}"`, input) }
}

function requireTimer({ onTimer }: AnyProcess, name: string): void {
  if (Object.hasOwn(onTimer, name)) return
  throw new Error(`timer "${name}" has no handler in its \`onTimer\``)
}

/** What is carried out is what was stored: a date that came back as text would be another input. */
function asJson<T>(what: string, value: T): T {
  if (survivesJson(value)) return throughJson(value)
  throw new Error(`${what} does not survive JSON: write dates and big integers as text`)
}

function throughJson<T>(value: T): T {
  return JSON.parse(JSON.stringify(value) ?? 'null')
}

function survivesJson(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'object') return typeof value === 'string' || typeof value === 'boolean'
  if (value === null) return true
  if (Array.isArray(value)) return value.every(survivesJson)
  const isPlain = [Object.prototype, null].includes(Object.getPrototypeOf(value))
  // A property that is undefined is one that is not there.
  return isPlain && Object.values(value).every((part) => part === undefined || survivesJson(part))
}

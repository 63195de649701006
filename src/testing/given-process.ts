import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { asStored } from '../core/as-stored.ts'
import type { AnyDecider, CommandOf, RejectionOf } from '../core/decider.ts'
import type { NewEvent, NewEventOf } from '../core/event.ts'
import type { Action, CommandAction } from '../core/processes/action.ts'
import { type Advanced, advance, record } from '../core/processes/advance.ts'
import { type Duration, durationMs } from '../core/processes/duration.ts'
import {
  type Instance,
  type InstanceState,
  type ProcessInput,
  type RecordedAction,
  stateOfInstance,
} from '../core/processes/instance.ts'
import { processStreamPrefix } from '../core/processes/process-events.ts'
import type { AnyProcess } from '../core/processes/process-manager.ts'
import type { SequencedEvent } from '../core/recorded-event.ts'
import { frozen } from './frozen.ts'

/** What happens to a process besides events: see {@link clock} and {@link outcome}. */
export type ProcessOccurrence =
  | { readonly occurs: 'time'; readonly ms: number }
  | {
      readonly occurs: 'outcome'
      readonly decider: string
      readonly command: string
      readonly become: (action: string) => ProcessInput
    }

/** An event, or something else that happens to a process. */
export type ProcessStepIn<P extends AnyProcess> =
  | NewEventOf<P['events'][number]>
  | ProcessOccurrence

/** The clock of a test. It stands still, at the beginning of 2026, until the test moves it. */
export const clock = {
  /** Lets time pass. Timers that run down answer, in their order. */
  advance: (duration: Duration): ProcessOccurrence => ({
    occurs: 'time',
    ms: durationMs(duration),
  }),
}

/** What becomes of the first command of its name that is under way. Until it is said, nothing does. */
export const outcome = {
  /** It was carried out. The events that it leads to are for the test to give, if the process hears them. */
  succeeded: <D extends AnyDecider>(decider: D, command: CommandOf<D>): ProcessOccurrence =>
    become(decider, command, (action) => ({ kind: 'succeeded', action })),

  /** The decider refused it. */
  rejected: <D extends AnyDecider, C extends CommandOf<D>>(
    decider: D,
    command: C,
    code: RejectionOf<D, C>['code'],
    details?: RejectionOf<D, C>['details'],
  ): ProcessOccurrence =>
    become(decider, command, (action) => {
      // As the log keeps it.
      return { kind: 'rejected', action, code, details: details ?? null }
    }),

  /** It threw each time, and was given up. */
  gaveUp: <D extends AnyDecider>(decider: D, command: CommandOf<D>): ProcessOccurrence =>
    become(decider, command, (action) => ({ kind: 'gave-up', action, error: 'gave up' })),
}

/** What has happened to a process. */
export interface GivenProcess<P extends AnyProcess> {
  /** Lets one more thing happen. */
  when(step: ProcessStepIn<P>): WhenProcess<P>

  /** Checks the state of the instance that was told last. */
  thenState(expected: ReturnType<P['initial']>): void
}

/** What came of it. */
export interface WhenProcess<P extends AnyProcess> {
  /** Checks that the process answered with these actions, in this order; with none, if none are given. */
  then(...expected: readonly Action[]): void

  /** Checks the state of the instance that was told last. */
  thenState(expected: ReturnType<P['initial']>): void

  /** Checks how that instance is doing. */
  thenIs(expected: InstanceState): void

  /** Checks that it undoes what was done by these commands, in this order, if each of them succeeds. */
  thenCompensates(...expected: readonly CommandAction[]): void
}

/** Tests a process without a database. See `given`. */
export function givenProcess<P extends AnyProcess>(
  definition: P,
  history: readonly ProcessStepIn<P>[],
): GivenProcess<P> {
  const afterHistory = () => {
    const simulation = new Simulation(definition)
    for (const step of history) simulation.occur(step as NewEvent | ProcessOccurrence)
    return simulation
  }
  return {
    when: (step) => {
      const simulation = afterHistory()
      return whenOf(definition, simulation, simulation.occur(step as NewEvent | ProcessOccurrence))
    },
    thenState: (expected) => assert.deepStrictEqual(afterHistory().last()?.state, expected),
  }
}

function whenOf<P extends AnyProcess>(
  definition: P,
  simulation: Simulation,
  answered: readonly AnsweredAction[],
): WhenProcess<P> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: the word for it; waiting for it is refused below
    then: (...expected) => {
      const isAwaited = expected.some((action) => typeof action === 'function')
      assert.ok(!isAwaited, 'there is nothing to wait for: call then() with the actions')
      const { now } = simulation
      const asked = answered.filter(({ action }) => action.kind !== 'compensation')
      const wanted = expected.map((action, index) => {
        return { action: record(definition, action, asked[index]?.at ?? now, ''), at: now }
      })
      assertSame(asked.map(withoutId), wanted.map(withoutId))
    },
    thenState: (expected) => assert.deepStrictEqual(simulation.last()?.state, expected),
    thenIs: (expected) => {
      const instance = simulation.last()
      assert.ok(instance, 'no instance has begun')
      assert.deepStrictEqual(stateOfInstance(instance), expected)
    },
    thenCompensates: (...expected) => {
      const undone = simulation.compensate().map(describe)
      const wanted = expected.map((action) => describe(record(definition, action, new Date(0), '')))
      assert.deepStrictEqual(undone, wanted)
    },
  }
}

/** An action, and when it was asked for. */
interface AnsweredAction {
  readonly action: RecordedAction
  readonly at: Date
}

/** The instances of a process, and the time, as a test has made them. */
class Simulation {
  now = new Date('2026-01-01T00:00:00Z')
  readonly #definition: AnyProcess
  readonly #instances = new Map<string, Instance>()
  #lastStreamId = ''
  #events = 0

  constructor(definition: AnyProcess) {
    this.#definition = definition
  }

  last(): Instance | undefined {
    return this.#instances.get(this.#lastStreamId)
  }

  occur(step: NewEvent | ProcessOccurrence): readonly AnsweredAction[] {
    if (!('occurs' in step)) return this.#hear(step)
    return step.occurs === 'time' ? this.#pass(step.ms) : this.#settle(step)
  }

  /** Has each compensation succeed, and lists them. */
  compensate(): readonly RecordedAction[] {
    const undone: RecordedAction[] = []
    for (;;) {
      const step = this.last()?.steps.find((one) => one.undoes !== null && one.state === 'pending')
      if (step === undefined) return undone
      undone.push({ kind: 'command', id: '', call: step.call, compensation: null })
      this.#tell(this.#lastStreamId, { kind: 'succeeded', action: step.id })
    }
  }

  #hear(event: NewEvent): readonly AnsweredAction[] {
    const { registry, name, idOf } = this.#definition
    const known = registry.definitionOf(event.type)
    assert.ok(known, `event type "${event.type}" is not one of process "${name}"`)
    const recorded = this.#recorded(event)
    const id = idOf(recorded)
    if (id === null) return []
    const streamId = `${processStreamPrefix(this.#definition)}${id}`
    return this.#tell(streamId, { kind: 'event', event: recorded })
  }

  #recorded(event: NewEvent): SequencedEvent {
    const { type, data, metadata, tags } = asStored(event)
    const position = BigInt(this.#events + 1)
    return {
      ...{ type, data, metadata, tags, position, version: position },
      streamId: 'test',
      id: event.id ?? `event-${position}`,
      schemaVersion: event.schemaVersion,
      recordedAt: this.now,
    }
  }

  #pass(ms: number): readonly AnsweredAction[] {
    const end = new Date(this.now.getTime() + ms)
    const answered: AnsweredAction[] = []
    for (let due = this.#nextTimer(end); due !== undefined; due = this.#nextTimer(end)) {
      this.now = due.dueAt > this.now ? due.dueAt : this.now
      answered.push(...this.#tell(due.streamId, { kind: 'timer', timer: due.id }))
    }
    this.now = end
    return answered
  }

  #nextTimer(end: Date) {
    return [...this.#instances]
      .flatMap(([streamId, { timers }]) => timers.map((timer) => ({ ...timer, streamId })))
      .filter(({ dueAt }) => dueAt <= end)
      .toSorted((a, b) => a.dueAt.getTime() - b.dueAt.getTime())[0]
  }

  #settle(step: Extract<ProcessOccurrence, { readonly occurs: 'outcome' }>) {
    const { decider, command } = step
    for (const [streamId, { steps }] of this.#instances) {
      const found = steps.find(
        ({ call, state }) =>
          state === 'pending' && call.decider === decider && call.command === command,
      )
      if (found !== undefined) return this.#tell(streamId, step.become(found.id))
    }
    return assert.fail(`no command "${command}" to "${decider}" is under way`)
  }

  #tell(streamId: string, input: ProcessInput): readonly AnsweredAction[] {
    this.#events += 1
    const tellings = this.#events
    const at = this.now
    const actionId = (index: number) => `${tellings}:${index}`
    const telling = { input, at, actionId }
    const before = this.#instances.get(streamId)
    const advanced = advance(this.#definition, before, telling)
    const again = advance(this.#definition, before, telling)
    assertPure(again, advanced)
    if (advanced === null) return []
    this.#instances.set(streamId, frozen(advanced.instance) as Instance)
    this.#lastStreamId = streamId
    return advanced.actions.map((action) => ({ action, at }))
  }
}

function assertPure(again: Advanced | null, advanced: Advanced | null): void {
  if (isDeepStrictEqual(again, advanced)) return
  assert.deepStrictEqual(again, advanced, 'the process is not pure')
}

function become(
  decider: AnyDecider,
  command: string,
  input: (action: string) => ProcessInput,
): ProcessOccurrence {
  return { occurs: 'outcome', decider: decider.name, command, become: input }
}

function withoutId({ action }: AnsweredAction): RecordedAction {
  return 'id' in action ? { ...action, id: '' } : action
}

/** As lines where that shows the difference: they are easier to read. */
function assertSame(asked: readonly RecordedAction[], expected: readonly RecordedAction[]): void {
  if (isDeepStrictEqual(asked, expected)) return
  assert.deepStrictEqual(asked.map(describe), expected.map(describe))
  assert.deepStrictEqual(asked, expected)
}

function describe(action: RecordedAction): string {
  switch (action.kind) {
    case 'command': {
      const { compensation } = action
      const undo = compensation === null ? '' : `, undone by ${describeCall(compensation)}`
      return `command ${describeCall(action.call)}${undo}`
    }
    case 'compensation':
    case 'retry':
      return `${action.kind} ${describeCall(action.call)}`
    case 'job':
      return `job ${action.job.task} ${JSON.stringify(action.job.payload)}`
    case 'timer':
      return `timer "${action.name}" at ${action.dueAt}`
    case 'cancel':
      return `cancel timer "${action.name}"`
    case 'complete':
      return 'complete'
    case 'fail':
      return `fail: ${action.reason}`
  }
}

function describeCall({ decider, target, command, input }: CommandAction | Call): string {
  return `${decider}-${target} ${command} ${JSON.stringify(input)}`
}

type Call = Extract<RecordedAction, { readonly kind: 'command' }>['call']

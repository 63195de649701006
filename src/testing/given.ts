import assert from 'node:assert/strict'
import { isDeepStrictEqual } from 'node:util'
import { asStored } from '../core/as-stored.ts'
import { decide, evolve, type Outcome } from '../core/decide.ts'
import type { AnyDecider, CommandOf, InputOf, RejectionOf, StateOf } from '../core/decider.ts'
import { decodeState, encodeState } from '../core/encode-state.ts'
import type { NewEvent, NewEventOf } from '../core/event.ts'
import type { AnyProcess } from '../core/processes/process-manager.ts'
import { frozen } from './frozen.ts'
import { type GivenProcess, givenProcess, type ProcessStepIn } from './given-process.ts'

/** Events that have happened. */
export interface Given<D extends AnyDecider> {
  /** Runs a command on the state that they lead to. */
  when<C extends CommandOf<D>>(command: C, ...input: InputOf<D, C>): When<D, C>

  /** Checks the state that they lead to. */
  thenState(expected: StateOf<D>): void
}

/** A command that was run. */
export interface When<D extends AnyDecider, C extends CommandOf<D>> {
  /** Checks that the command decided on these events and no others; on none, if none are given. */
  then(...events: readonly NewEventOf<D['events'][number]>[]): void

  /** Checks that the command was refused with this code, and with these details if they are given. */
  thenRejected<Code extends RejectionOf<D, C>['code']>(
    code: Code,
    ...details: [details?: Extract<RejectionOf<D, C>, { readonly code: Code }>['details']]
  ): void
}

/**
 * Tests a decider or a process without a database, in any test runner: events that have happened, a command
 * and what it decides on; or one more thing that happens, and what the process answers.
 *
 * Events go through JSON as they do in the log, states are frozen, and a command is run twice: one
 * that changes its state, or reads a clock, fails here and not some day at a retry. A decider with
 * snapshots has its states checked to survive them.
 *
 * @example
 * given(Order, OrderPlaced({ orderId, cents: 4200 }))
 *   .when('pay', { orderId })
 *   .then(OrderPaid({ orderId }))
 * given(Order).when('pay', { orderId }).thenRejected('not-placed')
 * given(fulfilment, OrderPlaced({ orderId, cents: 4200 }))
 *   .when(clock.advance('30m'))
 *   .then(fulfilment.act.fail('not paid in time'))
 */
export function given<D extends AnyDecider>(
  decider: D,
  ...events: readonly NewEventOf<D['events'][number]>[]
): Given<D>
export function given<P extends AnyProcess>(
  process: P,
  ...history: readonly ProcessStepIn<P>[]
): GivenProcess<P>
export function given(tested: AnyDecider | AnyProcess, ...history: readonly unknown[]): unknown {
  if ('kind' in tested) return givenProcess(tested, history as readonly never[])
  return givenDecider(tested, history as readonly never[])
}

function givenDecider<D extends AnyDecider>(
  decider: D,
  events: readonly NewEventOf<D['events'][number]>[],
): Given<D> {
  const state = () => stateAfter(decider, initialState(decider), events)
  return {
    when: (command, ...[input]) => {
      const outcome = decide(decider, state(), command, input)
      const again = decide(decider, state(), command, input)
      assert.deepStrictEqual(plain(again), plain(outcome), `command "${command}" is not pure`)
      if ('events' in outcome) stateAfter(decider, state(), outcome.events)
      return whenOf(outcome)
    },
    thenState: (expected) => assert.deepStrictEqual(state(), expected),
  }
}

function whenOf<D extends AnyDecider, C extends CommandOf<D>>(outcome: Outcome): When<D, C> {
  return {
    // biome-ignore lint/suspicious/noThenProperty: the word for it; waiting for it is refused below
    then: (...expected) => {
      const isAwaited = expected.some((event) => typeof event === 'function')
      assert.ok(!isAwaited, 'there is nothing to wait for: call then() with the events')
      assert.deepStrictEqual(plain(outcome), plain({ events: expected }))
    },
    thenRejected: (code, ...details) => {
      assert.ok('rejection' in outcome, 'the command was not refused')
      assert.deepStrictEqual(outcome.rejection.code, code)
      if (details.length > 0) assert.deepStrictEqual(outcome.rejection.details, details[0])
    },
  }
}

function initialState(decider: AnyDecider): unknown {
  return frozen(decider.initial())
}

function stateAfter(decider: AnyDecider, before: unknown, events: readonly NewEvent[]): unknown {
  let state = before
  for (const event of events) {
    const known = decider.registry.definitionOf(event.type)
    assert.ok(known, `event type "${event.type}" is not one of decider "${decider.name}"`)
    state = frozen(evolve(decider, state, [asStored(event)]))
    if (decider.snapshot !== null) assertKeepable(decider, state)
  }
  return state
}

function assertKeepable(decider: AnyDecider, state: unknown): void {
  const kept = decodeState(decider, encodeState(decider, state))
  if (isDeepStrictEqual(kept, state)) return
  assert.deepStrictEqual(kept, state, `a snapshot of decider "${decider.name}" changes the state`)
}

/** An outcome with its events as they would be stored. Ids are left out: each run makes new ones. */
function plain(outcome: Outcome): unknown {
  return 'events' in outcome ? { events: outcome.events.map(asStored) } : outcome
}

import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { advance, type Telling } from '../../../src/core/processes/advance.ts'
import { durationMs } from '../../../src/core/processes/duration.ts'
import {
  evolveInstance,
  type Instance,
  type ProcessInput,
  type RecordedAction,
  stateOfInstance,
} from '../../../src/core/processes/instance.ts'
import {
  type AnyProcess,
  decider,
  event,
  isTidemarkError,
  processManager,
} from '../../../src/index.ts'
import { type Random, seededRandom } from '../../support/random.ts'

const Did = event('did').v(1, z.object({}))
const Told = event('told').v(1, z.object({ act: z.string() }))

const Doer = decider('doer', {
  events: [Did],
  initial: () => null,
  evolve: { did: () => null },
  commands: { do: (_, n: number) => (n < 0 ? [] : Did({})), undo: () => [] },
})

/** Does what the event says. */
const obedient = processManager('obedient', {
  events: [Told],
  deciders: [Doer],
  id: () => '1',
  starts: ['told'],
  initial: () => ({ told: 0 }),
  evolve: { told: ({ told }) => ({ told: told + 1 }) },
  on: {
    told: (_, { data: { act: what } }, act) => {
      if (what === 'do') {
        return act.command(Doer, 'x', 'do', 1, { compensate: act.command(Doer, 'x', 'undo') })
      }
      if (what === 'do for good') return act.command(Doer, 'x', 'do', 1)
      if (what === 'wait') return act.after('1s', 'waiting')
      if (what === 'wait no more') return act.cancel('waiting')
      return what === 'fail' ? act.fail('told to') : act.complete()
    },
  },
  onTimer: { waiting: (_, act) => act.command(Doer, 'x', 'do', 2) },
  onRejected: (_, __, act) => act.command(Doer, 'x', 'do', 3),
})

function told(act: string): ProcessInput {
  const data = { act }
  const nowhere = { streamId: 's', version: 1n, position: 1n, metadata: {}, tags: [] }
  const recorded = { id: 'e', schemaVersion: 1, recordedAt: new Date(0) }
  return { kind: 'event', event: { type: 'told', data, ...nowhere, ...recorded } }
}

/** An instance, as it came to be. */
class Trial {
  instance: Instance | undefined
  readonly records: {
    readonly input: ProcessInput
    readonly actions: readonly RecordedAction[]
  }[] = []
  #tellings = 0

  tell(input: ProcessInput, definition: AnyProcess = obedient): readonly RecordedAction[] | null {
    this.#tellings += 1
    const telling = this.#tellings
    const actionId = (index: number) => `${telling}:${index}`
    const told: Telling = { input, at: new Date(0), actionId }
    const advanced = advance(definition, this.instance, told)
    if (advanced === null) return null
    this.instance = advanced.instance
    this.records.push({ input, actions: advanced.actions })
    return advanced.actions
  }

  get state() {
    return this.instance && stateOfInstance(this.instance)
  }
}

const acts = ['do', 'do', 'do for good', 'wait', 'wait no more', 'fail', 'complete']

function anyInput(random: Random, { instance }: Trial): ProcessInput {
  const pending = instance?.steps.filter(({ state }) => state === 'pending') ?? []
  if (pending.length > 0 && random.chance(0.6)) {
    const action = random.pick(pending).id
    const kind = random.pick([
      'succeeded',
      'succeeded',
      'succeeded',
      'rejected',
      'gave-up',
    ] as const)
    if (kind === 'rejected') return { kind, action, code: 'no', details: null }
    return kind === 'gave-up' ? { kind, action, error: 'broken' } : { kind, action }
  }
  const [timer] = instance?.timers ?? []
  if (timer !== undefined && random.chance(0.3)) return { kind: 'timer', timer: timer.id }
  if (random.chance(0.2)) return { kind: 'retry' }
  if (random.chance(0.1)) return { kind: 'settled', reason: 'by hand' }
  if (random.chance(0.02)) return { kind: 'abort', reason: 'enough' }
  return told(random.pick(acts))
}

/** Until it is over: what is under way succeeds, what is stuck is retried. */
function finish(trial: Trial): void {
  for (let i = 0; i < 500 && trial.instance !== undefined; i += 1) {
    const { steps, phase } = trial.instance
    if (phase === 'completed' || phase === 'compensated') return
    const step = steps.find(({ state }) => state === 'pending')
    if (step !== undefined) trial.tell({ kind: 'succeeded', action: step.id })
    else if (trial.state === 'stuck') trial.tell({ kind: 'retry' })
    else if (phase === 'running') trial.tell(told('fail'))
  }
}

test('an instance is what its records make of it, whatever happens, and undoes in reverse', () => {
  let undone = 0
  for (let seed = 1; seed <= 400; seed += 1) {
    const random = seededRandom(seed)
    const trial = new Trial()
    for (let i = 0; i < 25; i += 1) trial.tell(anyInput(random, trial))
    finish(trial)
    const folded = trial.records.reduce<Instance | undefined>(
      (before, { input, actions }) => evolveInstance(obedient, before, input, actions),
      undefined,
    )
    expect(folded, `seed ${seed}`).toEqual(trial.instance)
    const end = trial.instance
    if (end === undefined) continue
    expect(['completed', 'compensated'], `seed ${seed}`).toContain(end.phase)
    const undoing = end.steps.flatMap(({ undoes }) => undoes ?? [])
    const toUndo = end.succeeded.filter((id) =>
      end.steps.some((step) => step.id === id && step.compensation !== null),
    )
    const expected = end.phase === 'compensated' ? toUndo.toReversed() : []
    expect(undoing, `seed ${seed}`).toEqual(expected)
    undone += undoing.length
    expect(
      end.steps.every(({ state }) => state !== 'pending'),
      `seed ${seed}`,
    ).toBe(true)
    expect(end.timers).toEqual([])
  }
  expect(undone).toBeGreaterThan(100)
})

test('one compensation begins when the one before has succeeded', () => {
  const trial = new Trial()
  trial.tell(told('do'))
  trial.tell(told('do'))
  trial.tell({ kind: 'succeeded', action: '1:0' })
  trial.tell({ kind: 'succeeded', action: '2:0' })
  expect(trial.tell(told('fail'))).toMatchObject([{ kind: 'fail' }, { step: '2:0' }])
  expect(trial.instance?.steps.filter(({ undoes }) => undoes !== null)).toHaveLength(1)
  expect(trial.tell({ kind: 'succeeded', action: '5:1' })).toMatchObject([{ step: '1:0' }])
  expect(trial.state).toBe('compensating')
  trial.tell({ kind: 'succeeded', action: '6:0' })
  expect(trial.state).toBe('compensated')
})

test('a compensation that is stuck and was done by hand is not tried again, and the next one begins', () => {
  const trial = new Trial()
  trial.tell(told('do'))
  trial.tell(told('do'))
  trial.tell({ kind: 'succeeded', action: '1:0' })
  trial.tell({ kind: 'succeeded', action: '2:0' })
  trial.tell(told('fail'))
  const settled = { kind: 'settled', reason: 'refunded by phone' } as const
  // Nothing is stuck yet.
  expect(trial.tell(settled)).toBeNull()
  trial.tell({ kind: 'rejected', action: '5:1', code: 'no', details: null })
  expect(trial.state).toBe('stuck')
  expect(trial.tell(settled)).toMatchObject([{ kind: 'compensation', step: '1:0' }])
  expect(trial.instance?.steps.find(({ undoes }) => undoes === '2:0')).toMatchObject({
    state: 'settled',
    reason: 'refunded by phone',
  })
  expect(trial.tell({ kind: 'retry' })).toBeNull()
  expect(trial.tell({ kind: 'rejected', action: '5:1', code: 'late', details: null })).toBeNull()
  trial.tell({ kind: 'succeeded', action: '8:0' })
  expect(trial.state).toBe('compensated')
})

test('a command that was given up and succeeds after all is undone like any', () => {
  const trial = new Trial()
  trial.tell(told('do'))
  trial.tell({ kind: 'gave-up', action: '1:0', error: 'broken' })
  expect(trial.state).toBe('stuck')
  expect(trial.tell({ kind: 'retry' })).toMatchObject([{ kind: 'retry', id: '1:0' }])
  expect(trial.state).toBe('running')
  trial.tell({ kind: 'gave-up', action: '1:0', error: 'broken' })
  trial.tell({ kind: 'succeeded', action: '1:0' })
  expect(trial.tell({ kind: 'succeeded', action: '1:0' })).toBeNull()
  expect(trial.tell(told('fail'))).toMatchObject([{ kind: 'fail' }, { step: '1:0' }])
})

test('a timer of a name replaces the one before, which is heard no more', () => {
  const trial = new Trial()
  trial.tell(told('wait'))
  trial.tell(told('wait'))
  expect(trial.instance?.timers.map(({ id }) => id)).toEqual(['2:0'])
  expect(trial.tell({ kind: 'timer', timer: '1:0' })).toBeNull()
  expect(trial.tell({ kind: 'timer', timer: '2:0' })).toMatchObject([{ kind: 'command' }])
  expect(trial.tell({ kind: 'timer', timer: '2:0' })).toBeNull()
})

describe('an answer is refused', () => {
  const answering = (answer: unknown, extra: object = {}) =>
    processManager('answering', {
      events: [Told],
      id: () => '1',
      starts: ['told'],
      initial: () => null,
      on: { told: () => answer as never },
      ...extra,
    })
  const { act } = obedient

  test.each([
    ['a promise', Promise.resolve([]), /returned a promise/],
    ['what `act` did not make', { task: 'mail' }, /no function of `act`/],
    ['a command to a stranger', act.command(Doer, 'x', 'do', 1), /"doer" is not in its deciders/],
    ['a timer without an answer', act.after('1s', 'waiting'), /timer "waiting" has no handler/],
    [
      'what JSON changes',
      act.job({ task: 'mail', payload: { at: new Date(0) }, options: {} }),
      /payload of job "mail" does not survive JSON/,
    ],
  ])('that is %s', (_, answer, message) => {
    expect(() => new Trial().tell(told('x'), answering(answer))).toThrow(message)
  })
})

describe('a definition is refused', () => {
  const options = { events: [Told], id: () => '1', initial: () => null, on: {} }

  test.each([
    ['a name with a hyphen', 'a-b', { starts: ['told'] }, /at most 100 letters/],
    ['nothing to begin it', 'a', { starts: [] }, /no event begins it/],
    ['an event that is not its own', 'a', { starts: ['other'] }, /"other" is not in its events/],
    ['no attempt', 'a', { starts: ['told'], maxAttempts: 0 }, /maxAttempts 0/],
    ['one decider twice', 'a', { starts: ['told'], deciders: [Doer, Doer] }, /are named "doer"/],
  ])('that has %s', (_, name, extra, message) => {
    let failure: unknown
    try {
      processManager(name, { ...options, ...extra } as never)
    } catch (error) {
      failure = error
    }
    expect(isTidemarkError(failure, 'DEFINITION_INVALID')).toBe(true)
    expect(String(failure)).toMatch(message)
  })
})

test('durations are read', () => {
  expect([5, '5ms', '2s', '1.5m', '1h', '7d'].map((one) => durationMs(one as never))).toEqual([
    5, 5, 2_000, 90_000, 3_600_000, 604_800_000,
  ])
  for (const wrong of ['', 's', '5', '-5s', '1w', -1, Number.NaN]) {
    expect(() => durationMs(wrong as never), String(wrong)).toThrow(/duration/)
  }
})

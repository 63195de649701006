import { describe, expect, test } from 'vitest'
import { decide, evolve } from '../../src/core/decide.ts'
import { decider, streamIdOf } from '../../src/core/decider.ts'
import { event } from '../../src/core/event.ts'
import { isRejection, reject } from '../../src/core/rejection.ts'
import { Account, account, Deposited, Opened } from '../store/deciders.ts'

const { commands } = Account

describe('a decider', () => {
  test('names the stream of an id', () => {
    expect(streamIdOf(Account, '17')).toBe('account-17')
    expect(streamIdOf(Account, 'a-b')).toBe('account-a-b')
  })

  test('has version 1 and no snapshots unless it says otherwise', () => {
    expect(Account).toMatchObject({ name: 'account', version: 1, snapshot: null })
  })

  test('evolves its state by one event after the other', () => {
    const events = [Opened({ owner: 'Ada' }), Deposited({ cents: 5 })].map((made) => {
      return { type: made.type, data: made.data, metadata: {}, tags: [] }
    })
    expect(evolve(Account, Account.initial(), events)).toEqual({
      owner: 'Ada',
      cents: 5,
      movements: 1,
    })
    expect(evolve(Account, Account.initial(), [])).toEqual(Account.initial())
  })

  test('decides on one event, several, none, or refuses', () => {
    const state = { owner: null, cents: 5, movements: 1 }
    expect(decide(Account, state, 'open', { owner: 'Ada' })).toEqual({
      events: [Opened({ owner: 'Ada' })],
    })
    expect(decide(Account, { ...state, cents: 0 }, 'close', undefined)).toEqual({ events: [] })
    expect(decide(Account, state, 'withdraw', 6)).toEqual({
      rejection: { kind: 'rejection', code: 'short-of', details: { cents: 1 } },
    })
  })
})

test('a decision on which evolve throws is thrown, not made', () => {
  const cause = new Error('not a state')
  const Faulty = decider('account', {
    events: [Opened],
    initial: () => ({}),
    evolve: {
      'account.opened': () => {
        throw cause
      },
    },
    commands: { open: () => Opened({ owner: 'Ada' }) },
  })
  expect(() => decide(Faulty, {}, 'open', undefined)).toThrow(cause)
})

describe('a rejection', () => {
  test('is known from an event', () => {
    expect(isRejection(reject('no'))).toBe(true)
    expect(isRejection(reject('no', { cents: 1 }))).toBe(true)
    for (const other of [Opened({ owner: 'a' }), [], null, undefined, 'no', { code: 'no' }]) {
      expect(isRejection(other)).toBe(false)
    }
  })
})

describe('a decider is refused', () => {
  test.each(['', 'order-line', 'order line', '1st', 'ä', 'a'.repeat(101)])(
    'when its name is %j',
    (name) => {
      expect(() => decider(name, { ...account, commands })).toThrow(
        expect.objectContaining({ code: 'DEFINITION_INVALID' }),
      )
    },
  )

  test.each([0, 1.5, -1, Number.NaN, 2 ** 31])('when its version is %d', (version) => {
    expect(() => decider('account', { ...account, commands, version })).toThrow(
      /^decider "account": version .* is not a whole number from 1$/,
    )
  })

  test.each([0, 0.5, Number.POSITIVE_INFINITY])(
    'when it takes a snapshot every %d events',
    (every) => {
      expect(() => decider('account', { ...account, commands, snapshot: { every } })).toThrow(
        /snapshot\.every is/,
      )
    },
  )

  test('when it encodes snapshots and does not decode them', () => {
    const snapshot = { every: 1, encode: (state: unknown) => state }
    expect(() => decider('account', { ...account, commands, snapshot })).toThrow(
      /both encode and decode, or neither/,
    )
  })

  test('when evolve does not fit its events', () => {
    const { 'account.opened': _, ...missing } = account.evolve
    // @ts-expect-error account.opened is missing
    expect(() => decider('account', { ...account, commands, evolve: missing })).toThrow(
      /evolve has no function for event type "account\.opened"/,
    )
    const strange = { ...account.evolve, 'account.closed': () => account.initial() }
    expect(() => decider('account', { ...account, commands, evolve: strange })).toThrow(
      /evolve has "account\.closed", which is not in events/,
    )
  })

  test('when two of its events have one type', () => {
    const schema = Opened.schemas[0]
    if (schema === undefined) throw new Error('there is a schema')
    const second = event('account.opened').v(1, schema)
    expect(() =>
      decider('account', { ...account, commands: {}, events: [Opened, second] as never }),
    ).toThrow(/two definitions have this type/)
  })
})

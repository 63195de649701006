import { readFile } from 'node:fs/promises'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { decider } from '../../src/core/decider.ts'
import { event } from '../../src/core/event.ts'
import { given } from '../../src/testing/given.ts'
import { Account, account, Deposited, Opened, Withdrawn } from '../store/deciders.ts'

describe('given, when, then', () => {
  test('passes when the command decides on these events', () => {
    given(Account)
      .when('open', { owner: 'Ada' })
      .then(Opened({ owner: 'Ada' }))
    given(Account, Opened({ owner: 'Ada' }))
      .when('move', [1, 2])
      .then(Deposited({ cents: 1 }), Deposited({ cents: 2 }))
    given(Account, Deposited({ cents: 5 }))
      .when('close')
      .then(Withdrawn({ cents: 5 }))
  })

  test('passes when it decides on none, and none are expected', () => {
    given(Account).when('close').then()
  })

  test('takes no notice of ids', () => {
    given(Account)
      .when('open', { owner: 'Ada' })
      .then(Opened({ owner: 'Ada' }, { id: '018f3f7e-7b1c-7c3e-8000-000000000001' }))
  })

  test('passes when the command is refused as expected', () => {
    const refused = given(Account, Deposited({ cents: 5 })).when('withdraw', 7)
    refused.thenRejected('short-of')
    refused.thenRejected('short-of', { cents: 2 })
    given(Account).when('move', [1]).thenRejected('not-open', undefined)
  })

  test('passes when the events lead to the state', () => {
    given(Account, Deposited({ cents: 5 }), Withdrawn({ cents: 2 })).thenState({
      owner: null,
      cents: 3,
      movements: 2,
    })
  })
})

describe('it fails', () => {
  const failing = (message: RegExp) =>
    expect.objectContaining({ name: 'AssertionError', message: expect.stringMatching(message) })
  const opened = () => given(Account).when('open', { owner: 'Ada' })

  test.each<[string, () => void, RegExp]>([
    ['other data', () => opened().then(Opened({ owner: 'Bob' })), /Bob/],
    ['no event', () => opened().then(), /account\.opened/],
    [
      'one event more',
      () => opened().then(Opened({ owner: 'Ada' }), Deposited({ cents: 1 })),
      /account\.deposited/,
    ],
    [
      'other metadata',
      () => opened().then(Opened({ owner: 'Ada' }, { metadata: { a: 1 } })),
      /a: 1/,
    ],
    ['other tags', () => opened().then(Opened({ owner: 'Ada' }, { tags: ['t'] })), /'t'/],
    ['a refusal', () => opened().thenRejected('already-open'), /was not refused/],
    ['no refusal', () => given(Account).when('withdraw', 1).then(), /short-of/],
    [
      'another refusal',
      () =>
        given(Account)
          .when('withdraw', 1)
          .thenRejected('other' as 'short-of'),
      /other/,
    ],
    [
      'other details of a refusal',
      () => given(Account).when('withdraw', 1).thenRejected('short-of', { cents: 2 }),
      /cents: 2/,
    ],
    [
      'another state',
      () => given(Account).thenState({ owner: 'Ada', cents: 0, movements: 0 }),
      /Ada/,
    ],
  ])('when it expects %s', (_, check, message) => {
    expect(check).toThrow(failing(message))
  })

  test('when a command changes its state', () => {
    const Careless = decider('account', {
      ...account,
      commands: {
        open: (s) => {
          s.owner = 'Ada'
          return []
        },
      },
    })
    expect(() => given(Careless).when('open')).toThrow(TypeError)
  })

  test('when evolve changes its state, also deep inside', () => {
    const Careless = decider('account', {
      events: [Deposited],
      initial: () => ({ movements: { list: [] as number[] } }),
      evolve: {
        'account.deposited': (s, e) => {
          s.movements.list.push(e.data.cents)
          return s
        },
      },
      commands: {},
    })
    const check = () =>
      given(Careless, Deposited({ cents: 1 })).thenState({ movements: { list: [1] } })
    expect(check).toThrow(TypeError)
  })

  test('when a command reads something that changes', () => {
    let clock = 0
    const Timed = decider('account', {
      ...account,
      commands: {
        deposit: () => {
          clock += 1
          return Deposited({ cents: clock })
        },
      },
    })
    expect(() => given(Timed).when('deposit')).toThrow(failing(/command "deposit" is not pure/))
  })

  test('when a snapshot would change a state', () => {
    const Dated = decider('account', {
      events: [Deposited],
      initial: () => ({ last: null as Date | null }),
      evolve: { 'account.deposited': () => ({ last: new Date(0) }) },
      commands: {},
      snapshot: { every: 10 },
    })
    expect(() => given(Dated, Deposited({ cents: 1 })).thenState({ last: new Date(0) })).toThrow(
      failing(/a snapshot of decider "account" changes the state/),
    )
  })

  test('when evolve takes for granted what JSON does not hold', () => {
    const Opening = event('shop.opened').v(1, z.object({ at: z.date() }))
    const Shop = decider('shop', {
      events: [Opening],
      initial: () => ({ year: 0 }),
      evolve: { 'shop.opened': (_, e) => ({ year: e.data.at.getUTCFullYear() }) },
      commands: {},
    })
    expect(() => given(Shop, Opening({ at: new Date(0) })).thenState({ year: 1970 })).toThrow(
      TypeError,
    )
  })

  test('when an event is not one of the decider', () => {
    const foreign = { type: 'order.placed', schemaVersion: 1, data: {} } as never
    expect(() => given(Account, foreign).when('close')).toThrow(
      failing(/"order\.placed" is not one/),
    )
  })

  test('when it is awaited instead of checked', async () => {
    // @ts-expect-error it has a `then`, but that of a test
    await expect(async () => await opened()).rejects.toThrow(failing(/nothing to wait for/))
  })
})

test('is typed by the decider', () => {
  const Placed = event('order.placed').v(1, z.object({}))
  const refused = () => {
    // @ts-expect-error the event is another decider's
    given(Account, Placed({}))
    // @ts-expect-error there is no such command
    given(Account).when('shut')
    // @ts-expect-error the input is another
    given(Account).when('deposit', '5')
    // @ts-expect-error the event is another decider's
    given(Account).when('close').then(Placed({}))
    // @ts-expect-error the command has no such refusal
    given(Account).when('withdraw', 5).thenRejected('not-open')
    // @ts-expect-error the details are others
    given(Account).when('withdraw', 5).thenRejected('short-of', { euros: 1 })
  }
  expectTypeOf(refused).returns.toBeVoid()
})

test('is exported under a path of its own, which needs no server', async () => {
  const { exports } = JSON.parse(await readFile('package.json', 'utf8'))
  expect(exports['./testing']).toEqual({
    types: './dist/testing/index.d.ts',
    default: './dist/testing/index.js',
  })
})

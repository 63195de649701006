import { describe, expect, test } from 'vitest'
import { CommitAssembler, type WalMessage } from '../../src/sequencer/commit-assembler.ts'

const begin: WalMessage = { tag: 'begin', commitLsn: '0/1000' }

function insert(transactionId: unknown, relation = 'tidemark.events'): WalMessage {
  const [schema = '', name = ''] = relation.split('.')
  const row = { incarnation: 3, transaction_id: transactionId }
  return { tag: 'insert', relation: { schema, name }, new: row }
}

function commit(commitEndLsn: string | null): WalMessage {
  return { tag: 'commit', commitLsn: '0/1000', commitEndLsn, commitTime: 1_700_000_000_000_001n }
}

/** Feeds messages and returns what they ended. */
function assemble(messages: readonly WalMessage[], assembler = new CommitAssembler('tidemark')) {
  return messages.map((message) => assembler.take(message)).filter((ended) => ended !== undefined)
}

test('counts the events of a transaction and takes the end of its commit', () => {
  expect(assemble([begin, insert('741'), insert('741'), insert('741'), commit('0/1030')])).toEqual([
    {
      endLsn: 0x1030n,
      commit: {
        incarnation: '3',
        transactionId: '741',
        eventCount: 3,
        endLsn: 0x1030n,
        committedAtUs: 1_700_000_000_000_001n,
      },
    },
  ])
})

test('begins to count anew with each transaction', () => {
  const ended = assemble([
    begin,
    insert('1'),
    insert('1'),
    commit('0/20'),
    begin,
    insert('2'),
    commit('0/40'),
  ])
  expect(ended.map(({ commit }) => [commit?.transactionId, commit?.eventCount])).toEqual([
    ['1', 2],
    ['2', 1],
  ])
})

test('tells the end of a transaction without events, and no commit', () => {
  expect(assemble([begin, commit('1/0')])).toEqual([{ endLsn: 2n ** 32n, commit: undefined }])
})

test.for(['public.events', 'tidemark.commits', 'other.events', 'Tidemark.events'])(
  'does not count rows of %s',
  (relation) => {
    const [mixed] = assemble([begin, insert('9', relation), insert('5'), commit('0/20')])
    expect(mixed?.commit).toMatchObject({ transactionId: '5', eventCount: 1 })
    const [foreign] = assemble([begin, insert('9', relation), commit('0/20')])
    expect(foreign?.commit).toBeUndefined()
  },
)

test('counts the events of the schema that it was made for', () => {
  const [ended] = assemble(
    [begin, insert('5'), insert('5', 'billing.events'), commit('0/20')],
    new CommitAssembler('billing'),
  )
  expect(ended?.commit?.eventCount).toBe(1)
})

test.for(['relation', 'type', 'origin', 'message', 'update', 'delete', 'truncate'] as const)(
  'passes over a message "%s" wherever it comes',
  (tag) => {
    const ended = assemble([{ tag }, begin, { tag }, insert('5'), { tag }, commit('0/20'), { tag }])
    expect(ended).toHaveLength(1)
    expect(ended[0]?.commit?.eventCount).toBe(1)
  },
)

test('is open from begin to commit', () => {
  const assembler = new CommitAssembler('tidemark')
  const states = [begin, insert('5'), commit('0/20')].map((message) => {
    assembler.take(message)
    return assembler.isOpen
  })
  expect(states).toEqual([true, true, false])
})

test('takes transaction ids as whatever type the parsers of pg make of them', () => {
  const [ended] = assemble([begin, insert(77n), insert(77n), commit('0/20')])
  expect(ended?.commit).toMatchObject({ transactionId: '77', eventCount: 2 })
})

test('keeps ids beyond 2^53 exactly', () => {
  const id = '9007199254740993'
  const [ended] = assemble([begin, insert(id), insert(id), commit('0/20')])
  expect(ended?.commit?.transactionId).toBe(id)
})

describe('refuses', () => {
  const refusals: readonly [string, readonly WalMessage[], string][] = [
    [
      'one commit with two transactions',
      [begin, insert('1'), insert('2')],
      'one commit carries transactions 1 and 2',
    ],
    ['a row outside a transaction', [insert('1')], 'a row came outside a transaction'],
    [
      'a row after the commit',
      [begin, insert('1'), commit('0/20'), insert('1')],
      'a row came outside a transaction',
    ],
    [
      'a row of another table outside a transaction',
      [insert('1', 'public.x')],
      'a row came outside a transaction',
    ],
    ['a transaction that begins inside another', [begin, begin], 'began inside another'],
    ['a commit without its transaction', [commit('0/20')], 'a commit came without'],
    ['a second commit', [begin, commit('0/20'), commit('0/20')], 'a commit came without'],
    ['a commit without its end', [begin, insert('1'), commit(null)], 'a commit came without'],
  ]

  test.for(refusals)('%s', ([, messages, reason]) => {
    const assembler = new CommitAssembler('tidemark')
    for (const message of messages.slice(0, -1)) assembler.take(message)
    const last = messages.at(-1) as WalMessage
    expect(() => assembler.take(last)).toThrow(
      expect.objectContaining({
        code: 'REPLICATION_STREAM_INVALID',
        message: expect.stringContaining(reason),
      }),
    )
  })

  test('a commit end that is not an LSN', () => {
    expect(() => assemble([begin, commit('nowhere')])).toThrow(RangeError)
  })
})

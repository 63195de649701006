import { describe, expect, test } from 'vitest'
import { CommitAssembler, type WalMessage } from '../../src/sequencer/commit-assembler.ts'

const begin: WalMessage = { tag: 'begin' }
const foreignRow: WalMessage = { tag: 'foreign-row' }

function insert(transactionId: string): WalMessage {
  return { tag: 'event', incarnation: '3', transactionId }
}

function commit(endLsn: bigint): WalMessage {
  return { tag: 'commit', endLsn, committedAtUs: 1_700_000_000_000_001n }
}

/** Feeds messages and returns what they ended. */
function assemble(messages: readonly WalMessage[], assembler = new CommitAssembler()) {
  return messages.map((message) => assembler.take(message)).filter((ended) => ended !== undefined)
}

test('counts the events of a transaction and takes the end of its commit', () => {
  expect(assemble([begin, insert('741'), insert('741'), insert('741'), commit(0x1030n)])).toEqual([
    {
      endLsn: 0x1030n,
      commit: {
        incarnation: '3',
        transactionId: '741',
        eventCount: 3,
        messageCount: 0,
        endLsn: 0x1030n,
        committedAtUs: 1_700_000_000_000_001n,
      },
    },
  ])
})

test('counts the messages of a transaction beside its events', () => {
  const message: WalMessage = { tag: 'message', incarnation: '3', transactionId: '9' }
  const counts = (messages: readonly WalMessage[]) =>
    assemble(messages).map(({ commit }) => [commit?.eventCount, commit?.messageCount])
  expect(counts([begin, message, message, commit(0x20n)])).toEqual([[0, 2]])
  expect(counts([begin, message, insert('9'), message, commit(0x20n)])).toEqual([[1, 2]])
  expect(() => assemble([begin, message, insert('8'), commit(0x20n)])).toThrow('9 and 8')
})

test('begins to count anew with each transaction', () => {
  const ended = assemble([
    begin,
    insert('1'),
    insert('1'),
    commit(0x20n),
    begin,
    insert('2'),
    commit(0x40n),
  ])
  expect(ended.map(({ commit }) => [commit?.transactionId, commit?.eventCount])).toEqual([
    ['1', 2],
    ['2', 1],
  ])
})

test('tells the end of a transaction without events, and no commit', () => {
  expect(assemble([begin, commit(2n ** 32n)])).toEqual([{ endLsn: 2n ** 32n, commit: undefined }])
})

test('does not count rows of other tables', () => {
  const [mixed] = assemble([begin, foreignRow, insert('5'), commit(0x20n)])
  expect(mixed?.commit).toMatchObject({ transactionId: '5', eventCount: 1 })
  const [foreign] = assemble([begin, foreignRow, commit(0x20n)])
  expect(foreign?.commit).toBeUndefined()
})

test('passes over other messages wherever they come', () => {
  const other: WalMessage = { tag: 'other' }
  const ended = assemble([other, begin, other, insert('5'), other, commit(0x20n), other])
  expect(ended).toHaveLength(1)
  expect(ended[0]?.commit?.eventCount).toBe(1)
})

test('is open from begin to commit', () => {
  const assembler = new CommitAssembler()
  const states = [begin, insert('5'), commit(0x20n)].map((message) => {
    assembler.take(message)
    return assembler.isOpen
  })
  expect(states).toEqual([true, true, false])
})

test('keeps ids beyond 2^53 exactly', () => {
  const id = '9007199254740993'
  const [ended] = assemble([begin, insert(id), insert(id), commit(0x20n)])
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
      [begin, insert('1'), commit(0x20n), insert('1')],
      'a row came outside a transaction',
    ],
    [
      'a row of another table outside a transaction',
      [foreignRow],
      'a row came outside a transaction',
    ],
    ['a transaction that begins inside another', [begin, begin], 'began inside another'],
    ['a commit without its transaction', [commit(0x20n)], 'a commit came without'],
    ['a second commit', [begin, commit(0x20n), commit(0x20n)], 'a commit came without'],
  ]

  test.for(refusals)('%s', ([, messages, reason]) => {
    const assembler = new CommitAssembler()
    for (const message of messages.slice(0, -1)) assembler.take(message)
    const last = messages.at(-1) as WalMessage
    expect(() => assembler.take(last)).toThrow(
      expect.objectContaining({
        code: 'REPLICATION_STREAM_INVALID',
        message: expect.stringContaining(reason),
      }),
    )
  })
})

import { expect, test } from 'vitest'
import { LogChecker, type LogCommit, type LogEvent } from './check-log.ts'
import { FaultList } from './fault-list.ts'

function event(id: string, streamId: string, version: bigint, seen: string[] = []): LogEvent {
  const data = { account: 'a1', amount: 1 }
  return { id, streamId, version, type: 'account.deposited', data, seen }
}

function commit(position: bigint, ...events: LogEvent[]): LogCommit {
  return { position, eventCount: events.length, transaction: `1.${position}`, events }
}

const first = commit(2n, event('a', 's', 1n), event('b', 't', 1n))
const second = commit(3n, event('c', 's', 2n, ['a', 'b']))
const third = commit(4n, event('d', 's', 3n, ['c']))

function rulesBroken(...commits: LogCommit[]): string[] {
  const faults = new FaultList()
  const checker = new LogChecker(faults)
  for (const one of commits) checker.take(one)
  return [...faults.counts.keys()].toSorted()
}

test('finds nothing in a log that is as it should be', () => {
  expect(rulesBroken(first, second, third)).toEqual([])
})

test.for<[string, LogCommit[], string[]]>([
  ['a first position that is not 1', [{ ...third, events: [event('d', 's', 1n)] }], ['dense']],
  ['a hole', [first, { ...second, position: 4n }], ['dense']],
  ['positions given twice', [first, { ...second, position: 2n }], ['dense', 'order']],
  ['a position without its events', [first, { ...second, events: [] }], ['visible']],
  ['a part of the events', [{ ...first, events: first.events.slice(1) }], ['visible']],
  ['an event with two positions', [first, commit(3n, event('a', 's', 2n))], ['repeated']],
  ['a version left out', [first, commit(3n, event('c', 's', 3n))], ['version']],
  ['a version before the one it follows', [commit(1n, event('c', 's', 2n))], ['version']],
  ['what saw a commit before that', [first, commit(3n, event('d', 's', 2n, ['c']))], ['order']],
  [
    'what saw an event of its own commit',
    [commit(2n, event('a', 's', 1n), event('b', 's', 2n, ['a']))],
    ['order'],
  ],
])('finds %s', ([, commits, broken]) => {
  expect(rulesBroken(...commits)).toEqual(broken)
})

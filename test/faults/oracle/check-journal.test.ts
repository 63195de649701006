import { expect, test } from 'vitest'
import { checkJournal, type KnownTransaction } from './check-journal.ts'
import { FaultList } from './fault-list.ts'

function rulesBroken(known: KnownTransaction[], log: string[]): string[] {
  const faults = new FaultList()
  const there = new Set(log)
  checkJournal(known, { has: (id) => there.has(id), eventCount: there.size }, faults)
  return [...faults.counts.keys()].toSorted()
}

const transaction = (fate: KnownTransaction['fate'], ...eventIds: string[]) => ({
  ...{ kind: 'batch', eventIds, fate },
})

test.for<[string, KnownTransaction[], string[], string[]]>([
  ['all that was committed', [transaction('committed', 'a', 'b')], ['a', 'b'], []],
  ['nothing of what was rolled back', [transaction('absent', 'a')], [], []],
  ['all of what nobody knows', [transaction('unknown', 'a', 'b')], ['a', 'b'], []],
  ['nothing of what nobody knows', [transaction('unknown', 'a', 'b')], [], []],
  ['a part of what was committed', [transaction('committed', 'a', 'b')], ['a'], ['lost']],
  ['what was rolled back', [transaction('absent', 'a')], ['a'], ['rolled back']],
  ['a part of what nobody knows', [transaction('unknown', 'a', 'b')], ['a'], ['torn']],
  ['what nobody wrote', [transaction('committed', 'a')], ['a', 'z'], ['rolled back']],
])('a log with %s', ([, known, log, broken]) => {
  expect(rulesBroken(known, log)).toEqual(broken)
})

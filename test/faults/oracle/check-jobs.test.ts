import { expect, test } from 'vitest'
import { checkJobs } from './check-jobs.ts'
import { FaultList } from './fault-list.ts'

/** Events that ask for a job, with their positions. */
const asking = new Map([
  ['a', 3n],
  ['b', 7n],
  ['c', 9n],
])

function broken(earliest: bigint, latest: bigint | undefined, ...events: string[]): number {
  const faults = new FaultList()
  const found = new Map([['late', events]])
  checkJobs(found, asking, [{ name: 'late', earliest, latest }], faults)
  return faults.counts.get('job') ?? 0
}

test.for<[string, string[], number]>([
  ['one for each event', ['c', 'a', 'b'], 0],
  ['one that is missing', ['a', 'c'], 1],
  ['none', [], 3],
  ['one twice', ['a', 'b', 'b', 'c'], 1],
  ['one that nobody asked for', ['a', 'b', 'c', 'd'], 1],
])('jobs of a reactor that reads all of the log: %s', ([, found, expected]) => {
  expect(broken(0n, 0n, ...found)).toBe(expected)
})

test.for<[string, string[], number]>([
  ['all that follow the first', ['b', 'c'], 0],
  ['of those that have to be there', ['c'], 0],
  ['none of an event that has to have one', ['b'], 1],
  ['one of an event before it can have begun', ['a', 'b', 'c'], 1],
])('jobs of a reactor that began between 3 and 8: %s', ([, found, expected]) => {
  expect(broken(3n, 8n, ...found)).toBe(expected)
})

test.for<[string, string[], number]>([
  ['none', [], 0],
  ['all that follow the first', ['b', 'c'], 0],
  ['one amid them that is missing', ['a', 'c'], 1],
])('jobs of a reactor that began nobody knows when: %s', ([, found, expected]) => {
  expect(broken(0n, undefined, ...found)).toBe(expected)
})

test('jobs of a reactor that nobody knows are not right', () => {
  const faults = new FaultList()
  checkJobs(new Map([['unknown', ['a']]]), asking, [], faults)
  expect(faults.counts.get('job')).toBe(1)
})

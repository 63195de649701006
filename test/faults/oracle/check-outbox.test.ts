import { expect, test } from 'vitest'
import { checkPublished, checkRelayed, type StoredMessage } from './check-outbox.ts'
import { FaultList } from './fault-list.ts'

const message = (id: string, key: string | null, about = id): StoredMessage => {
  return { id, key, topic: 'noted', about }
}
const outbox = [message('1', 'a'), message('2', 'b'), message('3', 'a'), message('4', null)]

function found(check: (faults: FaultList) => void): readonly string[] {
  const faults = new FaultList()
  check(faults)
  return faults.faults.map(({ text }) => text)
}

test.for([
  ['all of it', ['1', '2', '3', '4'], []],
  ['another order of different keys', ['4', '2', '1', '3'], []],
  ['one that never came', ['1', '2', '3'], ['message 4, noted of 4, never came']],
  ['another', ['1', '2', '3', '4', '5'], ['message 5 came, which is not in the outbox']],
  [
    'another order of one key',
    ['3', '1', '2', '4'],
    ['message 1 of key "a" came after a later one'],
  ],
] as const)('what has come is compared with the outbox: %s', ([, arrived, faults]) => {
  expect(found((list) => checkRelayed(outbox, new Set(arrived), list))).toEqual(faults)
})

test.for([
  ['each is told of', ['1', '2', '3', '4'], []],
  ['one is not', ['1', '2', '3', '4', '5'], ['noted of 5 was published 0 times']],
  ['one is not there', ['1', '2', '3'], ['noted of 4: there is no such thing']],
] as const)('what is told is compared with what there is to tell: %s', ([, ids, faults]) => {
  expect(found((list) => checkPublished(outbox, { noted: new Set(ids) }, list))).toEqual(faults)
})

test('what is told of twice is found', () => {
  const twice = [...outbox, message('9', 'a', '1')]
  const toldOf = { noted: new Set(['1', '2', '3', '4']) }
  expect(found((list) => checkPublished(twice, toldOf, list))).toEqual([
    'noted of 1 was published 2 times',
  ])
})

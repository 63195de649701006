import { expect, test } from 'vitest'
import { normalizeSnapshot } from '../../src/sequencer/slot-snapshot.ts'

test.for([
  ['39934:39932:', '39934:39934:'],
  ['9:10:', '9:10:'],
  ['10:9:', '10:10:'],
  ['10:10:', '10:10:'],
  ['100:104:100,102', '100:104:100,102'],
  ['9007199254740993:9007199254740992:', '9007199254740993:9007199254740993:'],
] as const)('reads %s as %s', ([printed, normal]) => {
  expect(normalizeSnapshot(printed)).toBe(normal)
})

test.for(['', '1:2', '1:2;', 'a:b:', ' 1:2:'])('refuses %j', (text) => {
  expect(() => normalizeSnapshot(text)).toThrow(RangeError)
})

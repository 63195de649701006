import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatLsn, parseLsn } from '../../src/sequencer/lsn.ts'

// Text as the server prints it, and its number.
const lsns = [
  ['0/0', 0n],
  ['0/1', 1n],
  ['0/1A', 26n],
  ['0/FFFFFFFF', 4_294_967_295n],
  ['1/0', 4_294_967_296n],
  ['1/1', 4_294_967_297n],
  ['16/B374D848', 97_500_059_720n],
  ['FFFFFFFF/0', 18_446_744_069_414_584_320n],
  ['FFFFFFFF/FFFFFFFF', 18_446_744_073_709_551_615n],
] as const

test.for(lsns)('reads %s as %d and writes it back', ([text, lsn]) => {
  expect(parseLsn(text)).toBe(lsn)
  expect(formatLsn(lsn)).toBe(text)
})

test.for([
  ['0/0000001A', 26n],
  ['00000001/00000000', 4_294_967_296n],
  ['16/b374d848', 97_500_059_720n],
] as const)('reads padded and lower case halves: %s', ([text, lsn]) => {
  expect(parseLsn(text)).toBe(lsn)
})

test('carries into the upper half and borrows from it', () => {
  expect(formatLsn(parseLsn('0/FFFFFFFF') + 1n)).toBe('1/0')
  expect(formatLsn(parseLsn('1/0') - 1n)).toBe('0/FFFFFFFF')
  expect(formatLsn(parseLsn('A/FFFFFFFF') + 0x10n)).toBe('B/F')
})

test('compares as numbers where the texts would compare otherwise', () => {
  expect(parseLsn('0/A000000') < parseLsn('0/10000000')).toBe(true)
  expect(parseLsn('9/0') < parseLsn('10/0')).toBe(true)
})

test.for([
  '',
  '0',
  '/',
  '0/',
  '/0',
  '0/0/0',
  '0/G',
  '0x1/0',
  ' 0/0',
  '0/0\n',
  '-1/0',
  '0/123456789',
  '123456789/0',
])('refuses %j', (text) => {
  expect(() => parseLsn(text)).toThrow(RangeError)
})

test('reads back whatever it wrote, in the order of the numbers', () => {
  const lsn = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
  fc.assert(
    fc.property(lsn, lsn, (a, b) => {
      expect(parseLsn(formatLsn(a))).toBe(a)
      expect(parseLsn(formatLsn(a)) < parseLsn(formatLsn(b))).toBe(a < b)
    }),
  )
})

import { expect, test } from 'vitest'
import { formatBytes, formatCount, formatDuration, oneLine, toJson } from '../../src/cli/format.ts'

test.for([
  [0n, '0'],
  [999n, '999'],
  [1_000n, '1,000'],
  [9_223_372_036_854_775_807n, '9,223,372,036,854,775,807'],
  [1234.6, '1,235'],
] as const)('writes the count %s as %s', ([count, text]) => {
  expect(formatCount(count)).toBe(text)
})

test.for([
  [0n, '0 B'],
  [1_023n, '1023 B'],
  [1_024n, '1.0 KiB'],
  [16n * 1024n * 1024n, '16.0 MiB'],
  [1_536n * 1024n * 1024n, '1.5 GiB'],
  [1024n ** 6n, '1024.0 PiB'],
] as const)('writes %s bytes as %s', ([bytes, text]) => {
  expect(formatBytes(bytes)).toBe(text)
})

test.for([
  [0, '0 ms'],
  [999, '999 ms'],
  [999.6, '1.0 s'],
  [12_345, '12.3 s'],
  [59_949, '59.9 s'],
  [59_950, '1 min 0 s'],
  [185_000, '3 min 5 s'],
  [3_599_600, '1 h 0 min'],
  [90_061_000, '1 d 1 h'],
] as const)('writes %i ms as %s', ([ms, text]) => {
  expect(formatDuration(ms)).toBe(text)
})

test('puts a text on one line and leaves a terminal nothing to obey', () => {
  expect(oneLine(' first\r\n  second\u001b[31m red\u0007 ')).toBe('first second [31m red')
})

test('writes a bigint in JSON as a string, at any depth', () => {
  expect(toJson({ position: 5n, list: [{ lag: 2n ** 63n }], none: null })).toBe(
    '{"position":"5","list":[{"lag":"9223372036854775808"}],"none":null}',
  )
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatToken, parseToken } from '../../src/core/token.ts'

const maxXid = 2n ** 64n - 1n
const maxIncarnation = 2 ** 15 - 1

describe('a token', () => {
  test.each([
    [{ incarnation: 1, transactionId: 3n }, '1.3'],
    [{ incarnation: 12, transactionId: 4_294_967_296n }, '12.4294967296'],
    [{ incarnation: maxIncarnation, transactionId: maxXid }, '32767.18446744073709551615'],
  ])('stands for %o as %s', (parts, token) => {
    expect(formatToken(parts)).toBe(token)
    expect(parseToken(token)).toEqual(parts)
  })

  test('comes back as it was, whatever it names', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: maxIncarnation }),
        fc.bigInt({ min: 0n, max: maxXid }),
        (incarnation, transactionId) => {
          const parts = { incarnation, transactionId }
          expect(parseToken(formatToken(parts))).toEqual(parts)
        },
      ),
    )
  })

  test('needs no escaping in a URL or a header', () => {
    const token = formatToken({ incarnation: maxIncarnation, transactionId: maxXid })
    expect(encodeURIComponent(token)).toBe(token)
    expect(token.length).toBeLessThan(40)
  })
})

describe('what is not a token', () => {
  test.each([
    ['nothing', ''],
    ['words', 'latest'],
    ['one part', '1'],
    ['an empty part', '1.'],
    ['no incarnation', '.1'],
    ['incarnation 0', '0.1'],
    ['a padded incarnation', '01.1'],
    ['a sign', '1.-1'],
    ['a hexadecimal number', '1.0x1f'],
    ['an exponent', '1.1e3'],
    ['three parts', '1.2.3'],
    ['space before', ' 1.2'],
    ['space after', '1.2 '],
    ['a line break after', '1.2\n'],
    ['digits of another script', '1.٣'],
    ['SQL', "1.1'; drop table events"],
    ['an incarnation that no log can have', '32768.1'],
    ['a transaction id over 64 bits', '1.18446744073709551616'],
    ['21 digits', '1.100000000000000000000'],
  ])('is refused: %s', (_, token) => {
    expect(() => parseToken(token)).toThrow(
      expect.objectContaining({ code: 'TOKEN_INVALID', details: { token } }),
    )
  })

  test('is cut short in the message', () => {
    expect(() => parseToken('x'.repeat(10_000))).toThrow(
      new RegExp(`^"${'x'.repeat(40)}" is not a tidemark token$`),
    )
  })
})

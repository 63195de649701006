import { expect, test } from 'vitest'
import { decodeText, identify } from '../../../examples/git-history/decode.ts'

test.each([
  ['plain', Buffer.from('plain'), 'plain'],
  ['UTF-8', Buffer.from('é 🎉'), 'é 🎉'],
  ['a byte order mark, which stays', Buffer.from('\ufeffx'), '\ufeffx'],
  ['Latin-1', Buffer.from('caf\xe9', 'latin1'), 'caf\ufffd'],
  ['a surrogate', Buffer.from('\xed\xa0\x80', 'latin1'), '\ufffd\ufffd\ufffd'],
  ['half a character', Buffer.from('\xf0\x9f\x8e', 'latin1'), '\ufffd'],
  ['U+0000, which goes', Buffer.from('a\0b\0'), 'ab'],
])('decodes %s', (_, bytes, text) => {
  expect(decodeText(bytes)).toBe(text)
  expect(decodeText(bytes).isWellFormed()).toBe(true)
})

test.each(['a', 'é 🎉\n', ':colon', 'x'.repeat(400), `${'é'.repeat(200)}`, 'sha256'])(
  'takes %j as its own identity',
  (text) => expect(identify(Buffer.from(text))).toBe(text),
)

test.each([
  ['nothing', Buffer.alloc(0)],
  ['401 bytes', Buffer.from('x'.repeat(401))],
  ['401 bytes in 201 characters', Buffer.from(`${'é'.repeat(200)}x`)],
  ['U+0000', Buffer.from('a\0b')],
  ['what is not UTF-8', Buffer.from('caf\xe9', 'latin1')],
  ['a surrogate', Buffer.from('\xed\xa0\x80', 'latin1')],
  ['what looks hashed', Buffer.from(`sha256:${'0'.repeat(64)}`)],
])('hashes %s', (_, bytes) => expect(identify(bytes)).toMatch(/^sha256:[0-9a-f]{64}$/))

test('hashes the bytes, as sha256sum does', () => {
  expect(identify(Buffer.alloc(0))).toBe(
    'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  )
})

test('keeps apart what looks the same', () => {
  const bytes = ['\xe8', '\xe9', '\xef\xbf\xbd'].map((text) => Buffer.from(text, 'latin1'))
  expect(new Set(bytes.map(decodeText)).size).toBe(1)
  expect(new Set(bytes.map(identify)).size).toBe(3)
  const hashed = identify(Buffer.from('\xe9', 'latin1'))
  expect(identify(Buffer.from(hashed))).not.toBe(hashed)
})

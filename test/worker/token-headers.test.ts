import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { formatToken } from '../../src/core/token.ts'
import { readToken, tokenHeaders } from '../../src/worker/token-headers.ts'

const token = formatToken({ incarnation: 1, transactionId: 742n })
const other = formatToken({ incarnation: 1, transactionId: 9n })

test('a response carries it in a header and, unless told otherwise, in a cookie', () => {
  expect(tokenHeaders(token)).toEqual({
    'tidemark-token': '1.742',
    'set-cookie': 'tidemark_token=1.742; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax',
  })
  expect(tokenHeaders(token, { maxAgeSeconds: 5, secure: false })).toMatchObject({
    'set-cookie': 'tidemark_token=1.742; Max-Age=5; Path=/; HttpOnly; SameSite=Lax',
  })
  expect(tokenHeaders(token, { cookie: false })).toEqual({ 'tidemark-token': '1.742' })
})

test.for([
  ['the header', { 'tidemark-token': token }, token],
  ['the cookie among others', { cookie: `a=b; tidemark_token=${token}; c=d` }, token],
  [
    'the header rather than the cookie',
    { 'tidemark-token': token, cookie: `tidemark_token=${other}` },
    token,
  ],
  ['nothing', {}, null],
  ['no cookie of ours', { cookie: 'a=b' }, null],
  ['a header that is no token', { 'tidemark-token': "1.1'; drop table" }, null],
  ['a cookie that is no token', { cookie: 'tidemark_token=%00' }, null],
] as const)('a request is read: %s', ([, headers, expected]) => {
  expect(readToken(headers)).toBe(expected)
  expect(readToken(new Headers(headers))).toBe(expected)
})

test("a header of a client that sent it twice counts as Node's last", () => {
  expect(readToken({ 'tidemark-token': [other, token] })).toBe(token)
})

test('it comes back over HTTP as it was sent', async () => {
  const server = createServer((request, response) => {
    response.setHeaders(new Headers(tokenHeaders(readToken(request.headers) ?? other)))
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  try {
    const first = await fetch(`http://127.0.0.1:${port}`)
    expect(first.headers.get('tidemark-token')).toBe(other)
    const answer = await fetch(`http://127.0.0.1:${port}`, {
      headers: { cookie: `tidemark_token=${token}` },
    })
    expect(answer.headers.get('tidemark-token')).toBe(token)
  } finally {
    server.close()
  }
})

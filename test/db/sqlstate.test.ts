import { glob, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { isConnectionLoss, isTransient, sqlstate, sqlstateOf } from '../../src/db/sqlstate.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

async function readSql() {
  const files = await Array.fromAsync(glob(['sql/**/*.sql', 'migrations/*.sql'], { cwd: root }))
  return Promise.all(
    files.map(async (name) => ({ name, text: await readFile(`${root}/${name}`, 'utf8') })),
  )
}

function ownCodes(text: string): string[] {
  return [...text.matchAll(/errcode = '(TM\w{3})'/g)].map((match) => match[1] ?? '')
}

/** What pg throws for an error of the server. */
function serverError(code: string, message = 'from the server'): Error {
  return Object.assign(new Error(message), { code, severity: 'ERROR' })
}

/** What Node throws for a failed system call. */
function systemError(code: string): Error {
  return Object.assign(new Error(`write ${code}`), { code, errno: -32, syscall: 'write' })
}

describe('the SQLSTATEs of class TM', () => {
  test('are the ones that sql/ raises, all of them and no other', async () => {
    const raised = new Set((await readSql()).flatMap(({ text }) => ownCodes(text)))
    const listed = Object.values(sqlstate).filter((code) => code.startsWith('TM'))
    expect([...raised].toSorted()).toEqual(listed.toSorted())
  })

  test('are each named in the head comment of the file that raises them', async () => {
    for (const { name, text } of await readSql()) {
      const head = text.slice(0, text.indexOf('create or replace'))
      for (const code of ownCodes(text)) expect(head, name).toContain(code)
    }
  })

  test('are given with every exception that sql/ raises', async () => {
    for (const { name, text } of await readSql()) {
      const raises = text.match(/\braise exception\b/g)?.length ?? 0
      expect(ownCodes(text).length, name).toBe(raises)
    }
  })
})

test('no SQLSTATE is listed under two names', () => {
  const codes = Object.values(sqlstate)
  expect(new Set(codes).size).toBe(codes.length)
  for (const code of codes) expect(code).toMatch(/^[0-9A-Z]{5}$/)
})

describe('sqlstateOf', () => {
  test.each(['TM004', '23505', '40001', 'XX000'])('reads %s', (code) => {
    expect(sqlstateOf(serverError(code))).toBe(code)
  })

  test.each([
    ['a system error', systemError('ECONNRESET')],
    ['a system error of five letters', systemError('EPIPE')],
    ['an error without a code', new Error('23505')],
    ['a numeric code', { code: 23505 }],
    ['an error of ours', { code: 'STREAM_VERSION_CONFLICT' }],
    ['text', '23505'],
    ['null', null],
    ['undefined', undefined],
  ])('reads nothing from %s', (_, error) => {
    expect(sqlstateOf(error)).toBeUndefined()
  })
})

describe('a lost connection', () => {
  test.each([
    ['a reset', systemError('ECONNRESET')],
    ['a refusal', systemError('ECONNREFUSED')],
    ['a broken pipe', systemError('EPIPE')],
    ['a time-out of the network', systemError('ETIMEDOUT')],
    ['an unknown host', systemError('ENOTFOUND')],
    ['a shutdown', serverError('57P01')],
    ['a start', serverError('57P03')],
    ['a protocol violation', serverError('08P01')],
    ['the end that pg reports', new Error('Connection terminated unexpectedly')],
    [
      'a client that ended',
      new Error('Client has encountered a connection error and is not queryable'),
    ],
    ['a server that does not answer', new Error('timeout expired')],
    ['a pool without a free connection', new Error('timeout exceeded when trying to connect')],
  ])('is recognised by %s, and may come back', (_, error) => {
    expect(isConnectionLoss(error)).toBe(true)
    expect(isTransient(error)).toBe(true)
  })

  test.each([
    ['a conflict', serverError('TM004')],
    ['a cancelled statement', serverError('57014')],
    ['a unique violation about "ECONNRESET"', serverError('23505', 'Key (name)=(ECONNRESET)')],
    ['an error of the program', new TypeError('x is not a function')],
    ['text', 'ECONNRESET'],
    ['nothing', undefined],
  ])('is not %s', (_, error) => {
    expect(isConnectionLoss(error)).toBe(false)
  })
})

describe('a transient error', () => {
  test.each([
    ['a deadlock', '40P01'],
    ['a serialization failure', '40001'],
    ['too many connections', '53300'],
    ['a full disk', '53100'],
    ['a cancelled statement', '57014'],
    ['a lock that was not granted', '55P03'],
    ['a write on a standby', '25006'],
  ])('is %s', (_, code) => {
    expect(isTransient(serverError(code))).toBe(true)
  })

  test.each([
    ['a conflict', 'TM004'],
    ['an inconsistent log', 'TM006'],
    ['a unique violation', '23505'],
    ['a missing privilege', '42501'],
    ['a syntax error', '42601'],
    ['a slot in use', '55006'],
  ])('is not %s', (_, code) => {
    expect(isTransient(serverError(code))).toBe(false)
  })
})

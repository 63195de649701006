import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSealedLog, type SealedLog } from '../sequencer/integrity/sealed-log.ts'
import { append, sequenceNow } from '../sequencer/ledger.ts'
import { type CliResult, runCli } from './spawn-cli.ts'

const { privateKey, publicKey } = generateKeyPairSync('ed25519')

let cwd: string
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'tidemark-verify-'))
  const pem = { format: 'pem' } as const
  await writeFile(join(cwd, 'private.pem'), privateKey.export({ ...pem, type: 'pkcs8' }))
  await writeFile(join(cwd, 'public.pem'), publicKey.export({ ...pem, type: 'spki' }))
  await writeFile(join(cwd, 'broken.json'), '{')
})
afterAll(() => rm(cwd, { recursive: true }))

function tidemark(log: SealedLog, ...args: string[]): Promise<CliResult> {
  return runCli(args, { cwd, env: { DATABASE_URL: log.database.connectionString } })
}

const change = `update tidemark.events set data = '7' where stream_id = 'note-1' and version = 2`

describe('verify', () => {
  test('says what it has checked and exits with 0 when nothing is wrong', async () => {
    await using log = await createSealedLog()
    const { code, stdout, stderr } = await tidemark(log, 'verify')
    expect(code).toBe(0)
    expect(stdout).toBe('positions 1 to 12 were held against their seals\nnothing is wrong\n')
    expect(stderr).toMatch(/^verify: 5 of 12 \(41%\), [\d,]+ events\/s/)
  })

  test('names what was changed, and exits with 6', async () => {
    await using log = await createSealedLog()
    await log.tamper(change)
    const { code, stdout, stderr } = await tidemark(log, 'verify')
    expect(code).toBe(6)
    expect(stdout.split('\n')[1]).toMatch(
      /^error event-changed at position 6, stream "note-1", version 2: the event at position 6 is /,
    )
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^error LOG_DAMAGED: the event at position 6 /)
  })

  test('tells programs the same in JSON', async () => {
    await using log = await createSealedLog()
    await log.tamper(change)
    const { code, stdout, stderr } = await tidemark(log, 'verify', '--json')
    expect(code).toBe(6)
    expect(JSON.parse(stdout)).toMatchObject({
      from: '1',
      to: '12',
      head: '12',
      isComplete: true,
      findings: [{ kind: 'event-changed', position: '6', streamId: 'note-1', version: '2' }],
    })
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'LOG_DAMAGED', details: { findings: 1, position: '6' } },
    })
  })

  test('checks a part', async () => {
    await using log = await createSealedLog()
    await log.tamper(change)
    const { code, stdout } = await tidemark(log, 'verify', '--from', '11', '--to', '12')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^positions 11 to 12 were held against their seals\n/)
    expect((await tidemark(log, 'verify', '--from', '12', '--to', '11')).code).toBe(2)
    expect((await tidemark(log, 'verify', '--from', '0')).code).toBe(2)
  })

  test('says how far the log goes on beyond its seals', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 3)
    await sequenceNow(log.pool)
    const { stdout } = await tidemark(log, 'verify')
    expect(stdout).toContain('against their seals; the log goes on to position 15\n')
  })
})

describe('a checkpoint', () => {
  test('is signed, kept, and agrees until the chain is written anew', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 3)
    await sequenceNow(log.pool)
    const made = await tidemark(
      log,
      'checkpoint',
      '--private-key',
      'private.pem',
      '--out',
      'c.json',
    )
    expect(made).toMatchObject({ code: 0, stdout: 'wrote c.json: signed at position 15\n' })
    expect(JSON.parse(await readFile(join(cwd, 'c.json'), 'utf8'))).toMatchObject({
      format: 'tidemark-checkpoint-1',
      position: '15',
    })
    const again = ['checkpoint', '--private-key', 'private.pem', '--out', 'c.json']
    expect((await tidemark(log, ...again)).code).toBe(2)

    const check = ['verify', '--checkpoint', 'c.json', '--public-key', 'public.pem']
    expect((await tidemark(log, ...check)).code).toBe(0)
    await log.tamper(/* sql */ `
      ${change};
      delete from tidemark.seals where position > 5;
      update tidemark.seal_head as h set position = 5, insert_id = null, hash = s.hash
      from tidemark.seals as s where s.position = 5`)
    await log.seal()
    expect((await tidemark(log, 'verify')).code).toBe(0)
    const { code, stdout } = await tidemark(log, ...check)
    expect(code).toBe(6)
    expect(stdout).toMatch(/^error checkpoint-differs at position 15: /m)
  })

  test('goes to stdout as JSON when no file is named', async () => {
    await using log = await createSealedLog()
    const { code, stdout } = await tidemark(log, 'checkpoint', '--private-key', 'private.pem')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ position: '12' })
  })

  test.for([
    [['verify', '--checkpoint', 'broken.json'], 2, 'OPTION_INVALID'],
    [['verify', '--public-key', 'public.pem'], 2, 'OPTION_INVALID'],
    [['verify', '--checkpoint', 'none.json', '--public-key', 'public.pem'], 2, 'OPTION_INVALID'],
    [['verify', '--checkpoint', 'broken.json', '--public-key', 'public.pem'], 2, 'OPTION_INVALID'],
    [
      ['verify', '--checkpoint', 'false.json', '--public-key', 'public.pem'],
      6,
      'CHECKPOINT_INVALID',
    ],
    [
      ['verify', '--checkpoint', 'false.json', '--public-key', 'private.pem'],
      6,
      'CHECKPOINT_INVALID',
    ],
    [['checkpoint', '--private-key', 'public.pem'], 2, 'OPTION_INVALID'],
    [['checkpoint'], 2, 'USAGE_INVALID'],
  ] as const)('%j exits with %i and %s', async ([args, code, name]) => {
    await writeFile(join(cwd, 'false.json'), '{"format": "tidemark-checkpoint-1"}')
    await using log = await createSealedLog()
    const result = await tidemark(log, ...args)
    expect(result.stderr).toContain(`error ${name}: `)
    expect(result.code).toBe(code)
    expect(result.stdout + result.stderr).not.toContain('PRIVATE KEY')
  })
})

describe('seal', () => {
  test('seals what is left, and then finds nothing to do', async () => {
    await using log = await createSealedLog()
    await append(log.pool, 'late-1', 3)
    await sequenceNow(log.pool)
    expect((await tidemark(log, 'seal')).stdout).toBe(
      'the log is sealed up to position 15: 3 events now\n',
    )
    expect(JSON.parse((await tidemark(log, 'seal', '--json')).stdout)).toEqual({
      position: '15',
      sealed: '0',
    })
  })
})

describe('audit', () => {
  test('exits with 0 when everything adds up', async () => {
    await using log = await createSealedLog()
    expect(await tidemark(log, 'audit')).toEqual({
      code: 0,
      stdout: 'the log ends at position 12, in 5 commits\nnothing is wrong\n',
      stderr: '',
    })
  })

  test('exits with 6 and names a hole that no lag shows', async () => {
    await using log = await createSealedLog()
    await log.tamper('delete from tidemark.commits where position = 8')
    const { code, stdout } = await tidemark(log, 'audit', '--grace', '1')
    expect(code).toBe(6)
    expect(stdout).toMatch(
      /^error ledger-hole at position 8: the ledger has no row for position 8\. /m,
    )
    const json = await tidemark(log, 'audit', '--json', '--grace', '1')
    expect(JSON.parse(json.stdout).findings[0]).toMatchObject({
      kind: 'ledger-hole',
      position: '8',
    })
  })

  test('exits with 0 when it only warns', async () => {
    await using log = await createSealedLog()
    await log.tamper(/* sql */ `
      insert into tidemark.subscriptions (kind, name, version, position)
      values ('reactor', 'mails', 1, 6)`)
    const { code, stdout } = await tidemark(log, 'audit')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /^warning subscription-inside-commit at position 6: reactor "mails" is /m,
    )
    const fine = await tidemark(log, 'audit', '--batch-size', '2')
    expect(fine.stdout).toContain('nothing is wrong')
  })
})

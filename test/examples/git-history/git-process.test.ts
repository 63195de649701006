import { getEventListeners } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { type Commit, readCommits } from '../../../examples/git-history/git-log.ts'
import { git, hideGitConfig } from '../../support/git.ts'

const COMMIT = `commit 42\\000\\0001600000000\\000Name\\000mail\\000subject\\000`

let directory: string
let repository: string

beforeAll(async () => {
  hideGitConfig()
  directory = await mkdtemp(join(tmpdir(), 'git-process-'))
  repository = join(directory, 'work')
  git(directory, 'init', '--quiet', repository)
  for (const text of ['one\n', 'two\n', 'three\n']) {
    await writeFile(join(repository, 'file'), text)
    git(repository, 'add', 'file')
    git(repository, 'commit', '--quiet', `--message=${text}`)
  }
})

beforeEach(() => {
  vi.unstubAllEnvs()
  hideGitConfig()
})

afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

test('leaves no process behind when the consumer breaks', async () => {
  await installGit(`while :; do printf '${COMMIT}'; done`)
  const read: Commit[] = []
  for await (const commit of readCommits(repository)) {
    read.push(commit)
    expect(await runningChildren()).toBe(1)
    if (read.length === 3) break
  }
  expect(read.map(({ hash }) => hash)).toEqual(['42', '42', '42'])
  expect(await runningChildren()).toBe(0)
})

test('leaves no process behind when the consumer throws', async () => {
  const failure = new Error('of the consumer')
  const consume = async () => {
    for await (const _ of readCommits(repository)) throw failure
  }
  await expect(consume()).rejects.toBe(failure)
  expect(await runningChildren()).toBe(0)
})

test('leaves no process and no listener behind at the end', async () => {
  const { signal } = new AbortController()
  expect(await Array.fromAsync(readCommits(repository, { signal }))).toHaveLength(3)
  expect(await runningChildren()).toBe(0)
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('stops at once when the signal aborts, with its reason', async () => {
  await installGit(`while :; do printf '${COMMIT}'; done`)
  const controller = new AbortController()
  const reason = new Error('enough')
  const commits = readCommits(repository, { signal: controller.signal })
  await commits.next()
  controller.abort(reason)
  await expect(commits.next()).rejects.toBe(reason)
  expect(await runningChildren()).toBe(0)
  expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0)
})

test('stops when the signal aborts while git says nothing', async () => {
  await installGit('exec sleep 1000')
  const controller = new AbortController()
  const first = readCommits(repository, { signal: controller.signal }).next()
  controller.abort()
  await expect(first).rejects.toBe(controller.signal.reason)
  expect(await runningChildren()).toBe(0)
})

test('starts nothing when the signal has aborted before', async () => {
  const signal = AbortSignal.abort(new Error('before'))
  await expect(readCommits(repository, { signal }).next()).rejects.toBe(signal.reason)
})

test('throws what git said when it fails midway, after the commits before', async () => {
  const blob = git(repository, 'rev-parse', 'HEAD~1:file').trim()
  const path = join(directory, 'damaged')
  git(directory, 'clone', '--quiet', '--no-hardlinks', repository, path)
  await rm(join(path, '.git', 'objects', blob.slice(0, 2), blob.slice(2)))
  const subjects: string[] = []
  const consume = async () => {
    for await (const { subject } of readCommits(path)) subjects.push(subject)
  }
  await expect(consume()).rejects.toThrow(new Error(`fatal: unable to read ${blob}`))
  expect(subjects).toEqual(['one'])
})

test('throws when git is killed, and keeps back the commit that may be cut off', async () => {
  await installGit(`printf '${COMMIT}${COMMIT}'; echo 'some\n  words' >&2; kill -KILL $$`)
  const commits = readCommits(repository)
  expect((await commits.next()).value?.hash).toBe('42')
  const message = 'git was killed by SIGKILL: some words'
  await expect(commits.next()).rejects.toThrow(new Error(message))
})

test('throws when git fails without a word', async () => {
  await installGit('exit 3')
  await expect(readCommits(repository).next()).rejects.toThrow(new Error('git exited with code 3'))
})

test('throws when the output ends in the middle of a commit', async () => {
  await installGit(`printf '${COMMIT}commit 43\\000\\000'`)
  const commits = readCommits(repository)
  const message = 'the output of git ended in the middle of a commit'
  await expect(commits.next()).rejects.toThrow(new Error(message))
})

/** Puts a program in git's place until the next test. */
async function installGit(script: string): Promise<void> {
  const bin = join(directory, 'bin')
  await mkdir(bin, { recursive: true })
  await writeFile(join(bin, 'git'), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  vi.stubEnv('PATH', `${bin}:${process.env.PATH}`)
}

/** Node forgets a process one turn of its loop after it has told that the process is gone. */
async function runningChildren(): Promise<number> {
  await setImmediate()
  await setImmediate()
  return process.getActiveResourcesInfo().filter((name) => name === 'ProcessWrap').length
}

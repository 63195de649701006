import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { decodeText, identify } from '../../../examples/git-history/decode.ts'
import {
  authorFigures,
  countMerges,
  fileFigures,
} from '../../../examples/git-history/git-figures.ts'
import { type Commit, countCommits, readCommits } from '../../../examples/git-history/git-log.ts'
import { git, hideGitConfig, setGitConfig } from '../../support/git.ts'
import { ODD_AUTHORS, ODD_PATHS } from '../../support/synthetic-repository/odd-names.ts'
import {
  createSyntheticRepository,
  type SyntheticRepository,
} from '../../support/synthetic-repository.ts'
import { authorFiguresOf, byId, fileFiguresOf } from './figures-of.ts'

let directory: string
let repository: string
let made: SyntheticRepository
let commits: Commit[]

beforeAll(async () => {
  hideGitConfig()
  directory = await mkdtemp(join(tmpdir(), 'git-log-'))
  repository = join(directory, 'work')
  made = await createSyntheticRepository(repository, { commits: 400, seed: 7, files: 300 })
  commits = await Array.fromAsync(readCommits(repository))
})

beforeEach(() => {
  vi.unstubAllEnvs()
  hideGitConfig()
})

afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

test('delivers each commit that HEAD reaches once, oldest first, with its parents', () => {
  const lines = git(repository, 'rev-list', '--reverse', '--parents', 'HEAD').trim().split('\n')
  expect(commits.map(({ hash, parents }) => [hash, ...parents].join(' '))).toEqual(lines)
  expect(commits).toHaveLength(made.commits)
  expect(commits.filter(({ parents }) => parents.length === 0)).toHaveLength(made.roots)
})

test('sums up to the independent figures', () => expectAgreement(commits))

test('has, commit by commit, the figures that git log --shortstat prints', () => {
  expect(commits.map(shortstatOf)).toEqual(readShortstats(repository))
})

test('names what git show names', () => {
  for (const commit of commits.filter((_, index) => index % 9 === 0)) {
    const shown = git(repository, 'show', '--name-status', '-z', '--format=', commit.hash)
    expect(statusFieldsOf(commit)).toEqual(shown.split('\0').slice(0, -1).map(fromStatusField))
  }
})

test('gives merges and empty commits no files', () => {
  const merges = commits.filter(({ parents }) => parents.length > 1)
  expect(merges).toHaveLength(made.merges)
  expect(merges.some(({ parents }) => parents.length > 2)).toBe(true)
  expect(merges.every(({ files }) => files.length === 0)).toBe(true)
  const empty = commits.filter(({ parents, files }) => parents.length < 2 && files.length === 0)
  expect(empty).toHaveLength(made.emptyCommits)
  expect(made.emptyCommits).toBeGreaterThan(0)
})

test.each([0, 1, 7, 400, 1000])('selects the newest %i as git log does', async (limit) => {
  const newest = await Array.fromAsync(readCommits(repository, { limit }))
  const hashes = git(repository, 'log', '-n', String(limit), '--format=%H').split('\n').slice(0, -1)
  expect(newest.map(({ hash }) => hash)).toEqual(hashes.reverse())
  expect(await countCommits(repository, limit)).toBe(newest.length)
  await expectAgreement(newest, limit)
})

test('takes a limit that git itself would cut off', async () => {
  expect(await countCommits(repository, 2 ** 32 + 1)).toBe(made.commits)
})

test.each([-1, 1.5, Number.NaN])('refuses a limit of %d', async (limit) => {
  const message = `limit ${limit} is not a whole number from 0`
  await expect(readCommits(repository, { limit }).next()).rejects.toThrow(new Error(message))
  await expect(countCommits(repository, limit)).rejects.toThrow(new Error(message))
})

test('keeps every odd path apart, byte for byte', () => {
  const pathsById = new Map(commits.flatMap(({ files }) => files.map(({ id, path }) => [id, path])))
  const odd = ODD_PATHS.map((path) => Buffer.from(path, 'latin1'))
  expect(new Set(odd.map(identify)).size).toBe(ODD_PATHS.length)
  for (const path of odd) expect(pathsById.get(identify(path))).toBe(decodeText(path))
})

test('keeps every odd author apart, and reads the encoding that a commit names', () => {
  const byEmail = Map.groupBy(commits, ({ authorEmail }) => authorEmail)
  const plain = ODD_AUTHORS.filter(({ encoding }) => encoding === undefined)
  for (const { email } of plain) {
    const bytes = Buffer.from(email, 'latin1')
    const ids = byEmail.get(decodeText(bytes))?.map(({ authorId }) => authorId)
    expect(ids).toContain(identify(bytes))
  }
  expect(byEmail.get('latin@example.org')?.[0]?.authorName).toBe('Jürgen Latin')
  expect(byEmail.get('jürgen@example.org')?.[0]?.authorId).toBe('jürgen@example.org')
})

test('reads times to the second, and the absurd as the epoch', () => {
  const times = git(repository, 'log', '--reverse', '--format=%at').trim().split('\n').map(Number)
  const sane = times.map((seconds) => (seconds < 253_402_300_800 ? seconds * 1000 : 0))
  expect(commits.map(({ authoredAt }) => authoredAt.getTime())).toEqual(sane)
  expect(Math.max(...times)).toBeGreaterThan(253_402_300_799)
})

test('reads a bare repository and a subdirectory as the work tree', async () => {
  const bare = join(directory, 'bare')
  git(directory, 'clone', '--quiet', '--bare', repository, bare)
  const subdirectory = join(repository, 'src', 'deep')
  await mkdir(subdirectory, { recursive: true })
  setGitConfig({ 'diff.relative': 'true' })
  expect(await Array.fromAsync(readCommits(bare))).toEqual(commits)
  expect(await Array.fromAsync(readCommits(subdirectory))).toEqual(commits)
})

describe('agrees with git under the configuration', () => {
  test.each([
    { 'diff.renames': 'false' },
    { 'diff.renames': 'copies' },
    { 'diff.renameLimit': '2' },
    { 'diff.algorithm': 'histogram', 'diff.ignoreSubmodules': 'all' },
    { 'log.showRoot': 'false', 'log.showSignature': 'true', 'color.ui': 'always' },
    { 'i18n.logOutputEncoding': 'ISO-8859-1', 'format.pretty': 'oneline', 'core.abbrev': '4' },
    { 'diff.submodule': 'log', 'diff.external': 'false', 'log.follow': 'true' },
  ])('%o', async (config) => {
    setGitConfig(config)
    const read = await Array.fromAsync(readCommits(repository))
    expect(read.map(shortstatOf)).toEqual(readShortstats(repository))
    await expectAgreement(read)
  })

  test('and knows no renames where the user wants none', async () => {
    const kinds = (read: Commit[]) => read.flatMap(({ files }) => files.map(({ kind }) => kind))
    expect(kinds(commits)).toContain('renamed')
    setGitConfig({ 'diff.renames': 'false' })
    expect(kinds(await Array.fromAsync(readCommits(repository)))).not.toContain('renamed')
  })
})

async function expectAgreement(read: readonly Commit[], limit?: number): Promise<void> {
  expect(authorFiguresOf(read)).toEqual(byId(await authorFigures(repository, limit)))
  expect(fileFiguresOf(read)).toEqual(byId(await fileFigures(repository, limit)))
  const merges = read.filter(({ parents }) => parents.length > 1)
  expect(merges).toHaveLength(await countMerges(repository, limit))
}

function shortstatOf({ hash, files }: Commit) {
  const sum = (side: 'additions' | 'deletions') =>
    files.reduce((lines, file) => lines + (file[side] ?? 0), 0)
  return { hash, files: files.length, additions: sum('additions'), deletions: sum('deletions') }
}

function readShortstats(from: string) {
  const args = ['--shortstat', '--reverse', '--format=commit %H']
  const plain = ['--no-color', '--no-show-signature']
  const [, ...texts] = git(from, 'log', ...plain, ...args).split('commit ')
  return texts.map((text) => {
    const number = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0)
    return {
      hash: text.slice(0, 40),
      files: number(/ (\d+) files? changed/),
      additions: number(/ (\d+) insertion/),
      deletions: number(/ (\d+) deletion/),
    }
  })
}

/** What `--name-status -z` says of a commit, in the words of a Commit; merges aside. */
function statusFieldsOf({ files }: Commit): string[] {
  const letters = { added: 'A', modified: 'M', deleted: 'D', renamed: 'R' }
  return files.flatMap(({ kind, path, previousPath }) =>
    previousPath === undefined ? [letters[kind], path] : [letters[kind], previousPath, path],
  )
}

function fromStatusField(field: string): string {
  const letter = /^(?:[AMD]|T|R\d{3})$/.exec(field)?.[0].charAt(0)
  return letter?.replace('T', 'M') ?? decodeText(Buffer.from(field, 'latin1'))
}

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { git } from './git.ts'
import { createSyntheticRepository } from './synthetic-repository.ts'

let directory: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'synthetic-repository-'))
})

afterAll(() => rm(directory, { recursive: true, force: true }))

test('makes the same commits from the same seed, bare or not, and others from another', async () => {
  const heads = [
    await make('one', { seed: 1 }),
    await make('same', { seed: 1, bare: true }),
    await make('other', { seed: 2 }),
  ]
  expect(heads[0]).toBe(heads[1])
  expect(heads[0]).not.toBe(heads[2])
})

test('makes as many commits at HEAD as were asked for', async () => {
  for (const commits of [1, 2, 3, 10, 57]) {
    await make(`count-${commits}`, { seed: commits, commits })
    const count = git(join(directory, `count-${commits}`), 'rev-list', '--count', 'HEAD')
    expect(Number(count)).toBe(commits)
  }
})

test('makes commits that HEAD does not reach', async () => {
  await make('abandoned', { seed: 3 })
  const count = git(join(directory, 'abandoned'), 'rev-list', '--count', 'HEAD..abandoned')
  expect(Number(count)).toBe(2)
})

async function make(
  name: string,
  options: { readonly seed: number; readonly commits?: number; readonly bare?: boolean },
): Promise<string> {
  const path = join(directory, name)
  await createSyntheticRepository(path, { commits: 60, files: 20, ...options })
  return git(path, 'rev-parse', 'HEAD')
}

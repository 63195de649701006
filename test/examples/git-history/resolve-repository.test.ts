import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { readCommits, resolveRepository } from '../../../examples/git-history/git-log.ts'
import { git, hideGitConfig } from '../../support/git.ts'

let directory: string
let repository: string

beforeAll(async () => {
  hideGitConfig()
  directory = await realpath(await mkdtemp(join(tmpdir(), 'resolve-repository-')))
  repository = join(directory, 'work')
  await mkdir(join(repository, 'a', 'b'), { recursive: true })
  await writeFile(join(directory, 'file'), '')
  git(repository, 'init', '--quiet')
  git(repository, 'commit', '--quiet', '--allow-empty', '--message=first')
  git(directory, 'clone', '--quiet', '--bare', repository, 'bare')
})

beforeEach(() => {
  vi.unstubAllEnvs()
  hideGitConfig()
  // Whatever the directory for temporary files is in, it is not the repository.
  vi.stubEnv('GIT_CEILING_DIRECTORIES', directory)
})

afterAll(async () => {
  vi.unstubAllEnvs()
  await rm(directory, { recursive: true, force: true })
})

test.each([
  ['work', 'work'],
  ['work/', 'work'],
  ['work/a/b', 'work'],
  ['bare', 'bare'],
  ['bare/refs', 'bare'],
  ['work/.git', 'work/.git'],
])('finds the repository of "%s"', async (path, root) => {
  expect(await resolveRepository(join(directory, path))).toBe(join(directory, root))
})

test('finds a repository whose name begins with a dash or ends in a newline', async () => {
  for (const name of ['-n', 'lines\n\n']) {
    git(directory, 'clone', '--quiet', '--', repository, `./${name}`)
    const root = await resolveRepository(join(directory, name))
    expect(root).toBe(join(directory, name))
    expect(await Array.fromAsync(readCommits(root))).toHaveLength(1)
  }
})

test('reads the repository that was named, whatever one a hook is running in', async () => {
  vi.stubEnv('GIT_DIR', join(directory, 'nowhere'))
  vi.stubEnv('GIT_WORK_TREE', directory)
  expect(await resolveRepository(repository)).toBe(repository)
})

test('names a path that does not exist', async () => {
  await expectRefusal(join(directory, 'none'), (path) => `path ${path} does not exist`)
  await expectRefusal(join(directory, 'file', 'x'), (path) => `path ${path} does not exist`)
})

test('names a path that is not a directory', async () => {
  await expectRefusal(join(directory, 'file'), (path) => `path ${path} is not a directory`)
})

test('names a path that is in no repository', async () => {
  await mkdir(join(directory, 'plain\nname'))
  await expectRefusal(
    join(directory, 'plain\nname'),
    (path) => `${path} is not in a git repository`,
  )
})

test('names a repository without commits', async () => {
  git(directory, 'init', '--quiet', 'empty')
  const message = (path: string) => `repository ${path} has no commits on its current branch`
  await expectRefusal(join(directory, 'empty'), message)
  git(directory, 'clone', '--quiet', '--bare', repository, 'unborn')
  git(join(directory, 'unborn'), 'symbolic-ref', 'HEAD', 'refs/heads/none')
  await expectRefusal(join(directory, 'unborn'), message)
})

test('says that git is not installed', async () => {
  vi.stubEnv('PATH', join(directory, 'none'))
  const message = 'git was not found: install git and put it on the PATH'
  await expectRefusal(repository, () => message)
  await expect(readCommits(repository).next()).rejects.toThrow(new Error(message))
})

test("passes on in one line what git says of a stranger's repository", async () => {
  vi.stubEnv('GIT_TEST_ASSUME_DIFFERENT_OWNER', '1')
  const said =
    `fatal: detected dubious ownership in repository at '${repository}' To add an exception for ` +
    `this directory, call: git config --global --add safe.directory ${repository}`
  await expectRefusal(repository, () => said)
})

test('passes on in one line what git says of a damaged repository', async () => {
  const damaged = join(directory, 'damaged')
  git(directory, 'clone', '--quiet', repository, damaged)
  await chmod(join(damaged, '.git', 'config'), 0o644)
  await writeFile(join(damaged, '.git', 'config'), '[core\n')
  await expectRefusal(damaged, () => 'fatal: bad config line 1 in file .git/config')
})

async function expectRefusal(path: string, message: (quoted: string) => string): Promise<void> {
  const expected = new Error(message(JSON.stringify(path)))
  await expect(resolveRepository(path)).rejects.toThrow(expected)
}

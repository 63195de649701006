import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const module = join(import.meta.dirname, '../../src/cli/keep-heap-small.ts')

/** Makes objects that live for a while, and tells how large the space for new ones became, in MiB. */
const churn = `
const kept = []
for (let i = 0; i < 3_000_000; i += 1) kept[i % 50_000] = { i, text: 'event ' + i, tags: [i] }
const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space')
console.log(Math.round(space.space_size / 2 ** 20))`

async function newSpace(start: string, env: NodeJS.ProcessEnv = {}): Promise<number> {
  const program = `
    import { getHeapSpaceStatistics } from 'node:v8'
    import { keepHeapSmall } from ${JSON.stringify(module)}
    ${start}
    ${churn}`
  const args = ['--no-warnings', '--input-type=module', '--eval', program]
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    env: { ...process.env, NODE_OPTIONS: '', ...env },
  })
  return Number(stdout)
}

test('keeps the space for new objects as small as it begins', async () => {
  const [plain, small] = await Promise.all([newSpace(''), newSpace('keepHeapSmall()')])
  expect(plain).toBeGreaterThan(16)
  expect(small).toBeLessThan(plain / 2)
})

test('leaves alone what the user has set', async () => {
  const set = { NODE_OPTIONS: '--max-semi-space-size=16' }
  expect(await newSpace('keepHeapSmall()', set)).toBe(await newSpace('', set))
})

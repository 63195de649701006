import { Command, InvalidArgumentError } from 'commander'
import { createSyntheticRepository } from '../test/support/synthetic-repository.ts'

/** Writes a made-up git repository to measure with: the same options make the same commits. */
const program = new Command('make-repository')
  .argument('<directory>', 'where to write; git creates it')
  .option('--commits <count>', 'commits that HEAD reaches', wholeNumber, 17_000)
  .option('--seed <number>', 'another seed makes another repository', wholeNumber, 1)
  .option('--authors <count>', 'people, besides the odd ones', wholeNumber, 400)
  .option('--files <count>', 'files in each of the three biggest commits', wholeNumber, 3000)
  .option('--bare', 'without a work tree', false)
  .parse()

const [directory = '.'] = program.args
const startedAt = performance.now()
const made = await createSyntheticRepository(directory, program.opts())
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
console.log(
  `${made.directory}: ${made.commits} commits (${made.merges} merges, ${made.emptyCommits} empty, ` +
    `${made.roots} roots) in ${seconds} s`,
)

function wholeNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('not a whole number from 1')
  return value
}

import { defineConfig } from '../../src/index.ts'
import { largeCommits, reviewCommit } from './large-commits.ts'
import { activity, contributors, contributorsV2, files } from './projections.ts'

export default defineConfig({
  projections: [contributors, contributorsV2, files, activity],
  reactors: [largeCommits(1_000)],
  tasks: [reviewCommit],
})

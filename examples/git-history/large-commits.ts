import { z } from 'zod'
import { reactor, task } from '../../src/index.ts'
import { CommitRecorded } from './events.ts'

/** Where the jobs note what they were asked to look at. An ordinary table of the application. */
export const createReviewTable = /* sql */ `
  create table if not exists public.git_history_reviews (
    repository text not null,
    hash text not null,
    lines integer not null
  )`

/** A job for a person or a robot that looks at large commits. Here it leaves a note. */
export const reviewCommit = task('review-commit', {
  payload: z.object({ repository: z.string(), hash: z.string(), lines: z.int() }),
  run: async ({ repository, hash, lines }, { once }) => {
    await once('note', async (tx) => {
      await tx.query('insert into public.git_history_reviews values ($1, $2, $3)', [
        repository,
        hash,
        lines,
      ])
    })
  },
})

/** Asks for a review of each commit over a number of changed lines. */
export function largeCommits(minLines: number) {
  return reactor('large-commits', {
    events: [CommitRecorded],
    from: 'start',
    on: {
      'git.commit.recorded': ({ data }) => {
        const lines = data.additions + data.deletions
        return lines > minLines
          ? reviewCommit({ repository: data.repository, hash: data.hash, lines })
          : null
      },
    },
  })
}

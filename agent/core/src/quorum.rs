//! Quorum arithmetic, and nothing else.

/// The number of votes that a cluster of `voters` needs to agree.
#[must_use]
pub fn quorum(voters: usize) -> usize {
    voters / 2 + 1
}

/// Whether `healthy` of `voters` can agree.
#[must_use]
pub fn has_quorum(voters: usize, healthy: usize) -> bool {
    healthy >= quorum(voters)
}

/// Whether the cluster can still agree after one voter is removed, when `healthy_others` of the rest are healthy.
#[must_use]
pub fn survives_removal(voters: usize, healthy_others: usize) -> bool {
    voters > 1 && has_quorum(voters - 1, healthy_others)
}

/// Whether quorum is lost for good: the voters that are not gone can never agree again.
#[must_use]
pub fn lost(voters: usize, not_gone: usize) -> bool {
    !has_quorum(voters, not_gone)
}

/// Whether `survivors` meet every possible quorum, so that each acknowledged write reached at least one of them.
#[must_use]
pub fn meets_every_quorum(voters: usize, survivors: usize) -> bool {
    voters > 0 && survivors > voters.saturating_sub(quorum(voters))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts the subsets instead of computing: a second implementation that shares no arithmetic with the code.
    fn naive_quorum(voters: usize) -> usize {
        (0..=voters).find(|size| 2 * size > voters).unwrap()
    }

    fn meets_every_quorum_by_enumeration(voters: usize, survivors: usize) -> bool {
        let survivor_mask = (1_u32 << survivors) - 1;
        (0_u32..1 << voters).filter(|set| 2 * set.count_ones() as usize > voters).all(|set| set & survivor_mask != 0)
    }

    #[test]
    fn agrees_with_a_naive_twin() {
        for voters in 1..=9 {
            assert_eq!(quorum(voters), naive_quorum(voters), "{voters} voters");
            for part in 0..=voters {
                assert_eq!(has_quorum(voters, part), 2 * part > voters);
                assert_eq!(lost(voters, part), 2 * part <= voters);
                assert_eq!(meets_every_quorum(voters, part), meets_every_quorum_by_enumeration(voters, part), "{part} of {voters}");
            }
        }
    }

    #[test]
    fn nobody_is_no_quorum() {
        assert!(!has_quorum(0, 0) && lost(0, 0) && !survives_removal(0, 0));
        assert!(!meets_every_quorum(0, 0) && !meets_every_quorum(0, 1), "a list without voters proves nothing about any write");
    }

    #[test]
    fn the_last_voter_is_never_removed() {
        assert!(!survives_removal(1, 0));
        assert!(survives_removal(2, 1));
        assert!(!survives_removal(3, 1));
    }
}

//! Whether this processor can run this program: it may be built for newer ones than it is started on, which would end it
//! without a word at the first instruction the processor does not know.

/// Something that the program was built to use and this processor does not have; none, where it can run.
///
/// Nothing else may run before, and little here: what it is about to miss is all over the program.
#[inline(never)]
pub fn missing() -> Option<&'static str> {
    NEEDED.iter().find(|need| need.is_built_in && !(need.is_there)()).map(|need| need.name)
}

struct Need {
    name: &'static str,
    is_built_in: bool,
    is_there: fn() -> bool,
}

/// The bits are those of the instruction CPUID (Intel's manual, volume 2A; AMD's, volume 3, appendix E). The standard
/// library's own question answers with what the program was built for.
#[cfg(target_arch = "x86_64")]
const NEEDED: [Need; 6] = [
    Need { name: "AVX", is_built_in: cfg!(target_feature = "avx"), is_there: || leaf(1).ecx >> 28 & 1 == 1 },
    Need { name: "FMA", is_built_in: cfg!(target_feature = "fma"), is_there: || leaf(1).ecx >> 12 & 1 == 1 },
    Need { name: "AVX2", is_built_in: cfg!(target_feature = "avx2"), is_there: || leaf(7).ebx >> 5 & 1 == 1 },
    Need { name: "BMI1", is_built_in: cfg!(target_feature = "bmi1"), is_there: || leaf(7).ebx >> 3 & 1 == 1 },
    Need { name: "BMI2", is_built_in: cfg!(target_feature = "bmi2"), is_there: || leaf(7).ebx >> 8 & 1 == 1 },
    Need {
        name: "LZCNT",
        is_built_in: cfg!(target_feature = "lzcnt"),
        is_there: || leaf(0x8000_0001).ecx >> 5 & 1 == 1,
    },
];

#[cfg(not(target_arch = "x86_64"))]
const NEEDED: [Need; 0] = [];

/// Zeros, where the processor has no such leaf.
#[cfg(target_arch = "x86_64")]
fn leaf(leaf: u32) -> std::arch::x86_64::CpuidResult {
    use std::arch::x86_64::{__cpuid_count, CpuidResult};
    // Each half of the leaves begins with the number of its last one.
    if __cpuid_count(leaf & 0x8000_0000, 0).eax < leaf {
        return CpuidResult { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    }
    __cpuid_count(leaf, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_that_runs_the_tests_has_what_they_were_built_for() {
        assert_eq!(missing(), None);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_bits_are_those_of_their_names() {
        let known = [
            ("AVX", is_x86_feature_detected!("avx")),
            ("FMA", is_x86_feature_detected!("fma")),
            ("AVX2", is_x86_feature_detected!("avx2")),
            ("BMI1", is_x86_feature_detected!("bmi1")),
            ("BMI2", is_x86_feature_detected!("bmi2")),
            ("LZCNT", is_x86_feature_detected!("lzcnt")),
        ];
        let found = NEEDED.map(|need| (need.name, (need.is_there)()));
        assert_eq!(found, known);
        assert_eq!(leaf(0x7FFF_FFFF).ebx, 0);
    }
}

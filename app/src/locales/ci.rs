//! Sentences of tests, of files of runs, and of the lights.

use super::sentences;

sentences! {
    tests: "Tests" / "테스트";
    tests_against(run, new, still, fixed, added): "Against run {run} of the default branch: new failures {new}, as there {still}, fixed {fixed}, new tests {added}." / "기본 브랜치의 실행 {run}번과 비교: 새 실패 {new}, 그대로 실패 {still}, 고쳐짐 {fixed}, 새 테스트 {added}.";
    tests_fixed: "Fixed" / "고쳐진 테스트";
    tests_added: "New tests" / "새 테스트";
    tests_slowest: "Slowest" / "느린 테스트";
    tests_failed(count): "{count} failed" / "실패 {count}개";
    tests_passed(count): "{count} passed" / "통과 {count}개";
    tests_skipped(count): "{count} left out" / "제외 {count}개";
    test_new: "new" / "새 실패";
    test_flaky: "flaky" / "불안정";
    test_muted(day): "muted until {day}" / "{day}까지 무시";
    took_word: "Took" / "걸린 시간";
    step_word: "Step" / "스텝";
    size_word: "Size" / "크기";
    file_word: "File" / "파일";
    files: "Files" / "파일";
    files_below: "left by its steps and kept for 30 days" / "스텝이 남긴 파일이고 30일 동안 보관해요";
    tab_ci: "CI" / "CI 점검";
    ci_title: "Are you really doing CI?" / "정말 CI를 하고 있나요?";
    ci_below(days, branch): "The last {days} days of {branch}, from its own pushes and runs." / "{branch} 브랜치의 지난 {days}일 푸시와 실행을 본 결과예요.";
    ci_integrates: "Integrates daily" / "매일 통합";
    ci_validates: "Tests validate" / "테스트로 검증";
    ci_fixes: "Red fixed first" / "실패를 먼저 수정";
    light_green: "Yes" / "그래요";
    light_amber: "Partly" / "일부만 그래요";
    light_red: "No" / "아니에요";
    light_grey: "Too little to say" / "아직 알 수 없어요";
    ci_delivery: "Delivery" / "전달";
    ci_measure: "Measure" / "지표";
    ci_value: "Value" / "값";
    ci_definition: "What it is" / "정의";
    ci_no_environment: "The service is in no environment yet, so nothing is delivered." / "서비스가 아직 어느 환경에도 없어서 전달한 것이 없어요.";
    ci_week: "The week of the team" / "팀의 한 주";
    dora_frequency: "Deployment frequency" / "배포 빈도";
    dora_lead: "Change lead time" / "변경 리드 타임";
    dora_failed: "Change fail rate" / "변경 실패율";
    dora_recovery: "Failed deployment recovery time" / "배포 실패 복구 시간";
    dora_rework: "Rework rate" / "재작업 비율";
    per_week(count): "{count} a week" / "주 {count}회";
    flaky_tests: "Flaky tests" / "불안정한 테스트";
    flaky_below: "passed and failed for one commit" / "같은 커밋에서 통과도 실패도 한 테스트";
    flaky_empty: "No test was caught giving both results for one commit. Steps name their reports with junit in berth.yaml." / "같은 커밋에서 두 결과를 낸 테스트가 없어요. 스텝은 berth.yaml의 junit으로 보고서를 적어요.";
    flaky_times: "Times" / "횟수";
    mute_until: "Mute until" / "무시할 날짜";
    mute_hint: "A day, 90 days ahead at most; empty hears it again. The step fails as its commands say." / "90일 안의 날짜예요. 비우면 다시 봐요. 스텝의 실패는 명령이 정해요.";
    ci_guard_title: "A red default branch" / "실패한 기본 브랜치";
    ci_guard: "Refuse pushes that do not mend it" / "고치지 않는 푸시 거절하기";
    ci_unguard: "Take every push again" / "모든 푸시 다시 받기";
    ci_guards: "While it is red, a push to it is refused unless it says that it mends it: `git push -o fix`." / "실패한 동안에는 고친다고 밝힌 푸시만 받아요: `git push -o fix`.";
    ci_guards_not: "While it is red, every push to it is taken." / "실패한 동안에도 모든 푸시를 받아요.";
    badge: "Badge" / "배지";
    badges_open: "Show the team's badges to everybody" / "팀의 배지를 모두에게 보이기";
    badges_close: "Show them to the team alone" / "팀에만 보이기";
    badges_are_open: "Everybody may see it." / "누구나 볼 수 있어요.";
    badges_are_closed: "Only who may see the team sees it." / "팀을 볼 수 있는 사람만 볼 수 있어요.";
    way_tests: "What the tests said" / "테스트 결과 보기";
    way_files: "Files it left" / "남긴 파일 보기";
}

impl super::Lang {
    /// "12 KiB"
    pub fn size(self, bytes: u64) -> String {
        match bytes {
            0..1_024 => format!("{bytes} B"),
            1_024..1_048_576 => format!("{} KiB", bytes >> 10),
            _ => format!("{} MiB", bytes >> 20),
        }
    }
}

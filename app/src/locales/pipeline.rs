//! Sentences of the page that writes a `berth.yaml`, and of the list of runs.

use super::sentences;

sentences! {
    tab_pipeline: "Pipeline" / "파이프라인";
    pipeline_of(service): "Pipeline of {service}" / "{service} 파이프라인";
    pipeline_at_head(branch): "as it is on {branch}, at" / "{branch} 브랜치의 현재 파일,";
    pipeline_template(branch): "a beginning: {branch} has none yet" / "시작 예시: {branch} 브랜치에 아직 파일이 없어요";
    pipeline_draft(branch): "your draft, which may differ from {branch}" / "작성 중인 내용이에요. {branch} 브랜치와 다를 수 있어요";
    pipeline_text: "Text of berth.yaml" / "berth.yaml 내용";
    pipeline_check: "Check" / "검사";
    pipeline_again: "Start over" / "처음부터";
    pipeline_copy: "Copy the file" / "파일 복사";
    pipeline_good: "It reads well." / "문제없이 읽혀요.";
    pipeline_asks: "What it asks for" / "이 파일이 요청하는 것";
    pipeline_push(branch): "What a push to {branch} would come to" / "{branch} 브랜치에 푸시하면";
    pipeline_would_run: "Runs" / "실행";
    pipeline_would_not: "Does not run by this alone" / "이것만으로는 실행 안 함";
    pipeline_none_yet(name): "{name} is no service yet." / "{name} 서비스가 아직 없어요.";
    pipeline_elsewhere(name, repository): "{name} is built from the repository {repository}." / "{name} 서비스는 {repository} 저장소에서 빌드해요.";
    pipeline_no_dockerfile(path, branch): "{branch} has no {path}. Add it in the same push, or name another under image." / "{branch} 브랜치에 {path} 파일이 없어요. 함께 푸시하거나 image에 다른 파일을 적으세요.";
    pipeline_commit: "How it gets there" / "적용 방법";
    pipeline_commit_below: "Berth does not commit for you: the file is reviewed like any other. Save it at the top of the repository and push." / "Berth는 대신 커밋하지 않아요. 다른 파일처럼 검토를 거치도록 저장소 맨 위에 저장하고 푸시하세요.";
    pipeline_learn: "To look up" / "참고";
    pipeline_reference: "Everything that may stand in it" / "쓸 수 있는 모든 항목";
    pipeline_schema: "JSON Schema, for editors" / "편집기용 JSON 스키마";
    pipeline_schema_below: "With this line on top, an editor with YAML support completes and checks it while you type:" / "맨 위에 이 줄을 두면 YAML을 지원하는 편집기가 입력하는 동안 완성하고 검사해요.";
    pipeline_gone: "The check did not get through. It is repeated when you type on." / "검사하지 못했어요. 이어서 입력하면 다시 검사해요.";
    way_pipeline_check: "Check a text" / "내용 검사";

    any_state: "Any" / "전체";
    runs_branch: "Branch" / "브랜치";
    runs_by: "Who" / "사람";
    runs_text: "Title or commit" / "제목 또는 커밋";
    runs_no_match: "No run fits all of this." / "조건에 모두 맞는 실행이 없어요.";
    runs_without: "Some fit without:" / "다음 조건을 빼면 있어요:";
    runs_drop(filter): "Drop “{filter}”" / "“{filter}” 조건 빼기";
    runs_latest: "Runs" / "실행";
}

impl super::Lang {
    /// "3 problems"
    pub fn pipeline_problems(self, count: usize) -> String {
        match (self, count) {
            (Self::En, 1) => "1 problem".to_owned(),
            (Self::En, _) => format!("{count} problems"),
            (Self::Ko, _) => format!("문제 {count}개"),
        }
    }

    /// "line 4, column 7"
    pub fn pipeline_place(self, line: usize, column: usize) -> String {
        match self {
            Self::En => format!("line {line}, column {column}"),
            Self::Ko => format!("{line}줄 {column}칸"),
        }
    }
}
